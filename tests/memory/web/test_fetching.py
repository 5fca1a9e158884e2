"""Fetching is polite and bounded."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from memory.errors import IngestError
from memory.ingest.documents import RawDocument
from memory.public_addresses import Resolve
from memory.web import fetching as module
from memory.web.fetching import MAX_REDIRECTS

NAMES = {"a.example": "93.184.216.34", "b.example": "93.184.216.34", "intranet.example": "192.168.0.5"}
PAGE = httpx.Response(200, text="# Hello", headers={"content-type": "text/markdown"})


def site(pages: dict[str, httpx.Response]) -> httpx.MockTransport:
    """A web of these pages; any other address, robots.txt too, is not found."""
    return httpx.MockTransport(lambda request: pages.get(named(request), httpx.Response(404)))


def named(request: httpx.Request) -> str:
    """The request's URL with the host's name in place of the address that it goes to."""
    name = httpx.URL(f"{request.url.scheme}://{request.headers['host']}")
    return str(request.url.copy_with(host=name.host))


def resolve(host: str) -> tuple[str, ...]:
    """Names of this web; an address stands for itself, and other names are unknown."""
    if host in NAMES:
        return (NAMES[host],)
    return (host,) if host[:1].isdigit() or ":" in host else ()


def fetch(url: str, *, transport: httpx.AsyncBaseTransport, resolve: Resolve = resolve) -> RawDocument:
    return module.fetch(url, max_bytes=1000, transport=transport, resolve=resolve)


def moved(to: str) -> httpx.Response:
    return httpx.Response(302, headers={"location": to})


def test_a_page_is_fetched_with_its_kind() -> None:
    found = fetch("https://a.example/x", transport=site({"https://a.example/x": PAGE}))
    assert (found.source, found.data, found.media_type) == (
        "https://a.example/x",
        b"# Hello",
        "text/markdown",
    )


def test_redirects_keep_the_address_that_was_asked_for() -> None:
    web = site({"https://a.example/x": moved("/y"), "https://a.example/y": PAGE})
    assert fetch("https://a.example/x", transport=web).source == "https://a.example/x"


def test_a_circle_of_redirects_ends() -> None:
    web = site({"https://a.example/x": moved("/x")})
    with pytest.raises(IngestError, match=f"more than {MAX_REDIRECTS}"):
        fetch("https://a.example/x", transport=web)


def test_what_robots_txt_forbids_is_not_fetched() -> None:
    rules = httpx.Response(200, text="User-agent: *\nDisallow: /private")
    pages = {
        "https://a.example/robots.txt": rules,
        "https://a.example/private/x": PAGE,
        "https://a.example/x": PAGE,
    }
    assert fetch("https://a.example/x", transport=site(pages)).data
    with pytest.raises(IngestError, match=r"robots\.txt"):
        fetch("https://a.example/private/x", transport=site(pages))


def test_a_redirect_asks_the_robots_txt_of_its_new_host() -> None:
    rules = httpx.Response(200, text="User-agent: nightschool\nDisallow: /")
    pages = {
        "https://a.example/x": moved("https://b.example/x"),
        "https://b.example/robots.txt": rules,
        "https://b.example/x": PAGE,
    }
    with pytest.raises(IngestError, match=r"robots\.txt"):
        fetch("https://a.example/x", transport=site(pages))


def test_an_unreachable_robots_txt_forbids_all() -> None:
    pages = {"https://a.example/robots.txt": httpx.Response(503), "https://a.example/x": PAGE}
    with pytest.raises(IngestError, match="503"):
        fetch("https://a.example/x", transport=site(pages))


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://a.example/x", "http://", "http://[", "/local"]
)
def test_a_redirect_cannot_leave_the_web(target: str) -> None:
    web = site({"https://a.example/x": moved(target)})
    with pytest.raises(IngestError):
        fetch("https://a.example/x", transport=web)


INSIDE = [
    "http://127.0.0.1:8000/x",
    "http://169.254.169.254/latest/meta-data",
    "http://10.0.0.1/x",
    "http://[::1]/x",
    "http://[::ffff:127.0.0.1]/x",
    "http://intranet.example/x",
]


@pytest.mark.parametrize("inside", INSIDE)
@pytest.mark.parametrize("first", ["https://a.example/x", "https://a.example/robots.txt"])
def test_a_public_address_cannot_redirect_inside(first: str, inside: str) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["host"])
        return moved(inside) if named(request) == first else PAGE

    with pytest.raises(IngestError, match="not public"):
        fetch("https://a.example/x", transport=httpx.MockTransport(answer))
    assert set(asked) == {"a.example"}


@pytest.mark.parametrize("inside", INSIDE)
def test_an_address_inside_may_be_given_by_the_user(inside: str) -> None:
    start = "http://127.0.0.1:9000/x"
    pages = {start: moved(inside), str(httpx.URL(inside)): PAGE}
    assert fetch(start, transport=site(pages)).data


@pytest.mark.parametrize("first", ["https://a.example/x", "https://b.example/x"])
def test_a_name_that_changes_its_address_leads_nowhere_else(first: str) -> None:
    """DNS rebinding: each answer of the resolver is checked, and the request goes to that very address."""
    answers = {"a.example": ["93.184.216.34", "127.0.0.1"], "b.example": ["93.184.216.34"] * 9}
    reached: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        reached.append(request.url.host)
        assert request.extensions["sni_hostname"] in NAMES
        return moved("https://a.example/y") if named(request) == "https://b.example/x" else PAGE

    with pytest.raises(IngestError, match="not public"):
        fetch(first, transport=httpx.MockTransport(answer), resolve=lambda host: [answers[host].pop(0)])
    assert set(reached) == {"93.184.216.34"}


def test_the_next_address_of_a_host_is_tried() -> None:
    reached: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        reached.append(request.url.host)
        if request.url.host == "2606:2800:220:1::1":
            raise httpx.ConnectError("no route", request=request)
        return PAGE if request.url.path == "/x" else httpx.Response(404)

    both = ("2606:2800:220:1::1", "93.184.216.34")
    assert fetch("https://a.example/x", transport=httpx.MockTransport(answer), resolve=lambda _: both).data
    assert set(reached) == set(both)


def test_a_name_that_nobody_knows_says_so() -> None:
    with pytest.raises(IngestError, match="cannot be resolved"):
        fetch("https://nowhere.example/x", transport=site({}))


def test_a_proxy_resolves_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.host)
        return PAGE if request.url.path == "/x" else httpx.Response(404)

    assert fetch("https://nowhere.example/x", transport=httpx.MockTransport(answer)).data
    assert set(seen) == {"nowhere.example"}


def test_robots_txt_may_have_moved() -> None:
    pages = {
        "https://a.example/robots.txt": moved("https://b.example/robots.txt"),
        "https://b.example/robots.txt": httpx.Response(200, text="User-agent: *\nDisallow: /"),
        "https://a.example/x": PAGE,
    }
    with pytest.raises(IngestError, match="does not allow"):
        fetch("https://a.example/x", transport=site(pages))


def test_all_of_it_has_to_arrive_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a robots.txt that never ends, of which each piece comes quickly."""
    monkeypatch.setattr(module, "TOTAL_SECONDS", 0.2)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.05)
            yield b"#"

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=endless())

    with pytest.raises(IngestError, match="not received within"):
        fetch("https://a.example/x", transport=httpx.MockTransport(answer))


def test_errors_wrong_kinds_and_too_much_data_say_so() -> None:
    kinds = {
        "404": httpx.Response(404),
        "not supported": httpx.Response(200, content=b"x", headers={"content-type": "image/png"}),
        "limit": httpx.Response(200, content=b"x" * 1001, headers={"content-type": "text/plain"}),
    }
    for reason, response in kinds.items():
        with pytest.raises(IngestError, match=reason):
            fetch("https://a.example/x", transport=site({"https://a.example/x": response}))


def test_a_broken_connection_says_so() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(IngestError, match="cannot be fetched: refused"):
        fetch("https://a.example/x", transport=httpx.MockTransport(broken))

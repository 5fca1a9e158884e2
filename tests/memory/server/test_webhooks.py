"""A webhook reaches public servers only, signed, and says whether it was taken."""

import base64
from datetime import UTC, datetime

import httpx
import pytest

from memory.errors import WebhookFailed
from memory.server.webhooks import Webhooks, signature

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SECRET = "kept between us"
NAMES = {
    "example.org": ["93.184.216.34"],
    "localhost": ["127.0.0.1"],
    "intranet": ["10.0.0.7"],
    "both": ["93.184.216.34", "10.0.0.7"],
    "metadata": ["169.254.169.254"],
    "mapped": ["::ffff:127.0.0.1"],
}


def webhooks(
    status: int = 200, seen: list[httpx.Request] | None = None, hosts: frozenset[str] = frozenset()
) -> Webhooks:
    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        return httpx.Response(status, headers={"Location": "http://localhost/"} if status == 302 else {})

    return Webhooks(
        SECRET,
        lambda: NOW,
        hosts=hosts,
        resolve=lambda host: NAMES.get(host, []),
        transport=httpx.MockTransport(answer),
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/x",
        "http://intranet/x",
        "http://both/x",
        "http://metadata/latest",
        "http://mapped/",
        "http://nowhere/",
        "ftp://example.org/",
        "http://ada:secret@example.org/",
        "example.org",
        "http://",
        "http://[::1",
    ],
)
def test_what_is_not_a_public_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="webhook"):
        webhooks().check(url)


def test_a_private_server_is_told_where_its_host_is_allowed() -> None:
    given = webhooks(hosts=frozenset({"intranet"}))
    assert given.check("http://Intranet:9000/x") == "10.0.0.7"
    with pytest.raises(ValueError, match="NIGHTSCHOOL_WEBHOOK_HOSTS"):
        given.check("http://localhost/x")


async def test_a_delivery_goes_to_the_address_that_was_checked_and_is_signed() -> None:
    seen: list[httpx.Request] = []
    given = webhooks(seen=seen)
    url = "https://example.org/hook?a=1"
    await given.send(url, "r1:ended", '{"status":"success"}', given.check(url), owner="ann")
    (request,) = seen
    assert str(request.url) == "https://93.184.216.34/hook?a=1"
    assert request.headers["host"] == "example.org"
    assert request.extensions["sni_hostname"] == "example.org"
    assert request.headers["webhook-id"] == "r1:ended"
    moment = request.headers["webhook-timestamp"]
    assert moment == str(int(NOW.timestamp()))
    expected = signature(key_of("ann"), "r1:ended", moment, request.content.decode())
    assert request.headers["webhook-signature"] == expected


def key_of(owner: str | None) -> bytes:
    """The key that the owner's receivers make of their secret, as Standard Webhooks says."""
    secret = webhooks().secret_of(owner)
    assert secret.startswith("whsec_")
    return base64.b64decode(secret.removeprefix("whsec_"))


async def test_no_owner_can_sign_for_another_nor_for_admins() -> None:
    assert len({key_of(owner) for owner in (None, "ann", "ben", "")}) == 4
    assert key_of("ann") == key_of("ann")
    assert SECRET.encode() not in {key_of(owner) for owner in (None, "ann")}
    assert all(24 <= len(key_of(owner)) <= 64 for owner in (None, "ann"))


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """Made with openssl: printf 'm1.1.{}' | openssl dgst -sha256 -hmac key -binary | base64."""
    assert signature(b"key", "m1", "1", "{}") == "v1,hJWUDO89xT3+/WuVf3h1ZN257tvaQULfN1ovYvfrIlo="


@pytest.mark.slow
@pytest.mark.parametrize("status", [302, 404, 500])
async def test_what_was_not_taken_is_an_error(status: int) -> None:
    with pytest.raises(WebhookFailed, match=str(status)):
        await webhooks(status).send("http://example.org/", "m", "{}", "93.184.216.34", owner=None)

"""`nightschool perspectives` shows what the service lists, and passes on what is declared and weighed."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.commands import run, stub

LISTED = [{"domain": "food", "name": "botany", "weight": 2.0, "documents": 3}]
WHY = {
    "current": {"sentence": "It is a fruit.", "source": "a.md"},
    "other": {"sentence": "It is not.", "source": "b.md"},
}
CAMPS = [{"domain": "food", "first": ["a.md"], "second": ["b.md"], "conflicts": 1, "because": [WHY]}]


def test_perspectives_are_listed_declared_cleared_and_weighed() -> None:
    asked: list[tuple[str, object]] = []

    async def reply(request: Request) -> Response:
        asked.append((request.method, await request.json() if request.method != "GET" else None))
        return JSONResponse(LISTED)

    with stub([Route("/v1/perspectives", reply, methods=["GET", "POST", "PUT"])]) as port:
        listed = run("perspectives", "list", port=port)
        run("perspectives", "declare", "botany", "a.md", "b.md", "--domain", "food", port=port)
        run("perspectives", "clear", "a.md", port=port)
        weighed = run("perspectives", "weigh", "botany", "2", "--json", port=port)
    assert "botany" in listed.stdout
    assert '"weight": 2.0' in weighed.stdout
    assert asked == [
        ("GET", None),
        ("POST", {"name": "botany", "sources": ["a.md", "b.md"], "domain": "food"}),
        ("POST", {"name": None, "sources": ["a.md"], "domain": "general"}),
        ("PUT", {"name": "botany", "weight": 2.0, "domain": "general"}),
    ]


def test_camps_are_shown_with_what_they_contradict_each_other_about() -> None:
    found: list[list[dict[str, object]]] = [CAMPS, []]

    async def reply(request: Request) -> Response:
        return JSONResponse(found.pop(0))

    with stub([Route("/v1/perspectives/suggested", reply)]) as port:
        some, none = (run("perspectives", "suggest", port=port) for _ in range(2))
    assert "1 contradiction between" in some.stdout
    assert "It is a fruit. [a.md] / It is not. [b.md]" in some.stdout
    assert none.stdout == "No documents hold different things of the same.\n"

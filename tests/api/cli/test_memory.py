"""Forgetting is confirmed, says what it did, and names the adapters that still know."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.commands import run, stub

TAUGHT = {
    "adapter": "rust-3-abc",
    "domain": "rust",
    "digest": "d" * 64,
    "command": "nightschool adapters forget rust dddddddddddd",
}


def test_forgetting_says_what_went_and_which_adapters_were_taught_from_it() -> None:
    asked: list[dict[str, str]] = []

    def forgetting(request: Request) -> Response:
        asked.append(dict(request.query_params))
        return JSONResponse({"counts": {"turns": 2, "passages": 1}, "taught": [TAUGHT]})

    with stub([Route("/v1/memory", forgetting, methods=["DELETE"])]) as port:
        said = run("memory", "forget", "--user", "ann", "--yes", port=port)
    assert asked == [{"user": "ann"}]
    assert said.stdout.splitlines() == [
        "Forgotten: turns: 2, passages: 1.",
        f"rust-3-abc was taught from it: {TAUGHT['command']}",
    ]


def test_without_a_terminal_it_has_to_be_confirmed_by_a_flag() -> None:
    with stub([]) as port:
        said = run("memory", "forget", "--user", "ann", port=port)
        both = run("memory", "forget", "--user", "ann", "--id", "i1", "--yes", port=port)
    assert said.returncode == 2
    assert "--yes" in said.stderr
    assert both.returncode == 2

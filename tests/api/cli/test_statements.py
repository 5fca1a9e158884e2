"""What users stated is listed with whole ids, and forgotten by the user's name."""

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.commands import run, stub

STATED = {
    "unit": "0123456789abcdef0123456789abcdef",
    "text": "Ann moved to Bern around 15 November 2026.",
    "status": "current",
    "said_at": "2026-11-29T08:00:00Z",
}


def test_statements_are_listed_with_whole_ids() -> None:
    asked: list[dict[str, str]] = []

    def listing(request: Request) -> Response:
        asked.append(dict(request.query_params))
        return JSONResponse([STATED])

    with stub([Route("/v1/statements", listing)]) as port:
        said = run("statements", "--unit", "ann", "--status", "current", port=port)
        as_json = run("statements", "--json", port=port)
    assert asked[0] == {"unit": "ann", "status": "current", "limit": "100"}
    assert STATED["unit"] in said.stdout
    assert "moved to Bern" in said.stdout
    assert json.loads(as_json.stdout) == STATED


def test_what_users_dispute_is_listed() -> None:
    dispute = {"statements": [STATED]}

    def listing(request: Request) -> Response:
        return JSONResponse([dispute] if "domain" not in request.query_params else [])

    with stub([Route("/v1/statements/disputed", listing)]) as port:
        assert "moved to Bern" in run("statements", "disputed", port=port).stdout
        assert json.loads(run("statements", "disputed", "--json", port=port).stdout) == {
            "statements": [STATED]
        }
        undisputed = run("statements", "disputed", "--domain", "rust", port=port)
    assert undisputed.stdout.strip() == "No users contradict each other."


def test_forgetting_a_user_says_how_much_it_was() -> None:
    asked: list[dict[str, str]] = []

    def forgetting(request: Request) -> Response:
        asked.append(dict(request.query_params))
        return JSONResponse({"statements": 1})

    with stub([Route("/v1/statements", forgetting, methods=["DELETE"])]) as port:
        said = run("statements", "forget", "ann", port=port)
    assert asked == [{"unit": "ann"}]
    assert said.stdout.strip() == "1 statement of ann forgotten."

"""`nightschool preferences` sends what was asked for, and shows what the service has."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.cli.client import PAGE
from tests.support.commands import run, stub

DIGEST = "ab" * 32
ADAPTER = "general-v1-abababab"
SUMMARY: dict[str, Any] = {
    "digest": DIGEST,
    "domain": "general",
    "algorithm": "dpo",
    "until": "2026-03-02T08:00:00Z",
    "pairs": 425,
    "held_out": 75,
    "by_origin": {"annotation": 300, "correction": 200},
    "training": None,
}
CHECK = {"name": "safety", "goal": ">= 0.95", "figure": 0.91, "passed": False, "measured": True}


def training(status: str | None) -> dict[str, Any]:
    progress = {
        "phase": "training" if status is None else "done",
        "done": 3,
        "total": 9,
        "message": "loss 0.6",
    }
    result = (
        None if status is None else {"status": status, "adapter": ADAPTER, "reason": "because", "full": False}
    )
    verdict = None if status is None else {"passed": status == "candidate", "checks": [CHECK]}
    return {"digest": DIGEST, "progress": progress, "result": result, "verdict": verdict}


def replying(body: Any, status: int = 200) -> Callable[[Request], Response]:
    return lambda request: JSONResponse(body, status)


def test_all_pages_of_a_list_are_shown() -> None:
    digests = [f"{number:064x}" for number in range(2 * PAGE + 1)]

    def listing(request: Request) -> Response:
        after = request.query_params.get("after")
        start = 0 if after is None else digests.index(after) + 1
        page = digests[start : start + int(request.query_params["limit"])]
        return JSONResponse([SUMMARY | {"digest": digest} for digest in page])

    with stub([Route("/v1/preferences", listing)]) as port:
        said = run("preferences", "list", "--json", port=port)
    assert [json.loads(line)["digest"] for line in said.stdout.splitlines()] == digests


def test_a_set_is_built_and_what_was_left_out_is_said() -> None:
    asked: list[dict[str, Any]] = []

    async def build(request: Request) -> Response:
        asked.append(await request.json())
        return JSONResponse(SUMMARY | {"dropped": {"contradicted by others": 7}}, 201)

    with stub([Route("/v1/preferences", build, methods=["POST"])]) as port:
        said = run("preferences", "build", "general", "--since", "2026-03-01", "--minimum", "50", port=port)
        as_json = run("preferences", "build", "general", "--algorithm", "kto", "--json", port=port)
    assert asked == [
        {"domain": "general", "algorithm": "dpo", "minimum": 50, "since": "2026-03-01"},
        {"domain": "general", "algorithm": "kto", "minimum": 500},
    ]
    assert DIGEST in said.stdout
    assert "425 to train, 75 held out (300 by annotation, 200 by correction)" in said.stdout
    assert "7: contradicted by others" in said.stdout
    assert json.loads(as_json.stdout)["digest"] == DIGEST


def test_a_refused_set_ends_the_command_with_the_reason() -> None:
    refused = {"error": {"message": "8 preference pairs (8 by vote), and 500 are needed"}}
    with stub([Route("/v1/preferences", replying(refused, 400), methods=["POST"])]) as port:
        said = run("preferences", "build", "general", port=port)
    assert said.returncode == 2
    assert "8 by vote" in said.stderr


def test_sets_are_listed_with_whole_digests() -> None:
    with stub([Route("/v1/preferences", replying([SUMMARY]))]) as port:
        said = run("preferences", "list", port=port)
        as_json = run("preferences", "list", "--json", port=port)
    assert DIGEST in said.stdout
    assert "not trained" in said.stdout
    assert json.loads(as_json.stdout) == SUMMARY


def test_the_pairs_of_a_set_are_printed_one_a_line() -> None:
    whole = {"pairs": [{"chosen": "a"}], "held_out": [{"chosen": "b"}]}
    with stub([Route(f"/v1/preferences/{DIGEST}", replying(whole))]) as port:
        said = run("preferences", "show", DIGEST, "--json", port=port)
    assert [json.loads(line) for line in said.stdout.splitlines()] == [
        {"chosen": "a", "held_out": False},
        {"chosen": "b", "held_out": True},
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "code", "shown"),
    [
        ("candidate", 0, f"nightschool adapters promote {ADAPTER}"),
        ("rejected", 0, "FAILED  safety: 0.910, goal >= 0.95"),
        ("failed", 1, "because"),
    ],
)
def test_training_is_followed_to_its_end_with_the_gates(status: str, code: int, shown: str) -> None:
    replies = iter([training(None), training(None), training(status)])

    def follow(request: Request) -> Response:
        return JSONResponse(next(replies))

    routes = [
        Route(f"/v1/preferences/{DIGEST}/train", replying(training(None), 202), methods=["POST"]),
        Route(f"/v1/preferences/{DIGEST}/training", follow),
    ]
    with stub(routes) as port:
        said = run("preferences", "train", DIGEST, "--follow", port=port)
    assert said.returncode == code
    assert shown in said.stdout
    assert said.stdout.startswith("training")

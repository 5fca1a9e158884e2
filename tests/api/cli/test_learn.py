"""`nightschool approve` shows what it approves, and approves nothing else."""

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.commands import run, stub

ASKS = {
    "topic": "Rust ownership", "domain": "rust", "lessons": 2, "facts": 9, "pairs": 40,
    "digest": "a" * 64, "digests": ["a" * 64, "b" * 64],
    "dropped": {"the quote is garbled": 3}, "left_out": {"disputed between sources": 2},
    "critique": {
        "relevance": 0.9, "faithfulness": 0.8, "quality": 0.7, "verdict": "accept",
        "reasons": ["'move' is both 'a transfer' (a.md) and 'no transfer' (b.md)"],
    },
    "sample": [{"question": "What is a move?", "answer": "a transfer", "quote": "A move is\na transfer.",
                "source": "a.md"}],
}  # fmt: skip
END = 'event: end\r\ndata: {"run_id": "r", "outcome": {"status": "learned", "reason": "why"}}\r\n\r\n'


def routes(posted: list[Any], *, status: int = 202, asks: dict[str, Any] | None = ASKS) -> list[Route]:
    """A service with one run, which waits for approval if it `asks`."""

    async def decide(request: Request) -> Response:
        posted.append(await request.json())
        error = {"message": "digests: the run asks about other lessons than these by now", "code": "x"}
        return JSONResponse({"run_id": "r"} if status == 202 else {"error": error}, status)

    state = {"status": "waiting" if asks else "ended", "asks": asks, "report": {}}
    return [
        Route("/v1/learn/r", lambda r: JSONResponse(state)),
        Route("/v1/learn/r/approval", decide, methods=["POST"]),
        Route("/v1/learn/r/events", lambda r: Response(END, media_type="text/event-stream")),
    ]


def test_approve_shows_the_lessons_and_sends_their_digests() -> None:
    posted: list[Any] = []
    with stub(routes(posted)) as port:
        said = run("approve", "r", "--reason", "read", "--yes", port=port)
    assert said.returncode == 0
    assert posted == [{"approved": True, "reason": "read", "digests": ASKS["digests"]}]
    for shown in (
        *ASKS["digests"], "'no transfer' (b.md)", "2: disputed between sources", "3: the quote is garbled",
        "40 pairs about 9 facts", "What is a move? -> a transfer", "“A move is a transfer.” (a.md)",
    ):  # fmt: skip
        assert shown in said.stdout


def test_lessons_that_changed_after_they_were_shown_are_not_approved() -> None:
    posted: list[Any] = []
    with stub(routes(posted, status=400)) as port:
        said = run("approve", "r", "--yes", port=port)
    assert (said.returncode, len(posted)) == (2, 1)
    assert "other lessons than these" in said.stderr


@pytest.mark.parametrize("asks", [ASKS, None])
def test_nothing_is_approved_unread(asks: dict[str, Any] | None) -> None:
    posted: list[Any] = []
    with stub(routes(posted, asks=asks)) as port:
        said = run("approve", "r", *(() if asks else ("--yes",)), port=port)
    assert (said.returncode, posted) == (2, [])
    assert ("confirm it with --yes" if asks else "is not waiting for approval: it is ended") in said.stderr


def test_reject_needs_no_look() -> None:
    posted: list[Any] = []
    with stub(routes(posted)) as port:
        assert run("reject", "r", "--reason", "thin", port=port).returncode == 0
    assert posted == [{"approved": False, "reason": "thin"}]

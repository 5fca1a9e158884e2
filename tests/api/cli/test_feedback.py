"""The commands of the log and of feedback show what the service has, and send what was said."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.support.commands import run, stub

TURN = {
    "id": "0123456789abcdef0123456789abcdef",
    "created_at": "2026-01-02T03:04:05Z",
    "domain": "rust",
    "adapter": None,
    "outcome": "answered",
    "question": "What is a move?",
    "answer": "a transfer",
}


def test_turns_are_listed_with_whole_ids() -> None:
    asked: list[dict[str, str]] = []

    def listing(request: Request) -> Response:
        asked.append(dict(request.query_params))
        return JSONResponse([TURN])

    with stub([Route("/v1/interactions", listing)]) as port:
        said = run("interactions", "--since", "2026-01-01", "--unit", "ada", port=port)
        as_json = run("interactions", "--json", port=port)
    assert asked[0] == {"since": "2026-01-01", "unit": "ada", "limit": "50"}
    assert TURN["id"] in said.stdout
    assert "What is a move?" in said.stdout
    assert json.loads(as_json.stdout) == TURN


def test_a_turn_is_shown_with_its_feedback() -> None:
    given = [
        {"kind": "rating", "value": 4.0, "text": None},
        {"kind": "comment", "value": None, "text": "good"},
    ]
    reply = {"interaction": TURN, "feedback": given, "implicit_score": -1.0}
    with stub([Route("/v1/interactions/i1", lambda r: JSONResponse(reply))]) as port:
        said = run("interactions", "show", "i1", port=port)
        as_json = run("interactions", "show", "i1", "--json", port=port)
    assert said.stdout.splitlines()[-3:] == ["rating: 4", "comment: good", "implicit score: -1"]
    assert json.loads(as_json.stdout) == reply


def test_an_export_is_written_line_by_line(tmp_path: Path) -> None:
    lines = [json.dumps({"id": n, "answer": "a\u2028b\x0cc"}, ensure_ascii=False) + "\n" for n in range(3)]

    def exporting(request: Request) -> Response:
        assert dict(request.query_params) == {"since": "2026-01-01", "until": "2026-02-01"}
        return StreamingResponse(iter(lines), media_type="application/x-ndjson")

    period = ("--since", "2026-01-01", "--until", "2026-02-01")
    with stub([Route("/v1/interactions/export", exporting)]) as port:
        shown = run("interactions", "export", *period, port=port)
        said = run("interactions", "export", *period, str(tmp_path / "day.jsonl"), port=port)
    assert shown.stdout == "".join(lines)
    assert (tmp_path / "day.jsonl").read_text() == "".join(lines)
    assert "Wrote 3 turns" in said.stdout


def test_an_export_that_breaks_off_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    def breaking() -> Any:
        yield '{"id": 1}\n'
        raise RuntimeError("the database went away")

    file = tmp_path / "day.jsonl"
    file.write_text("before")
    with stub([Route("/v1/interactions/export", lambda r: StreamingResponse(breaking()))]) as port:
        said = run("interactions", "export", str(file), port=port)
    assert said.returncode == 1
    assert "Traceback" not in said.stderr
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def test_an_export_into_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with stub([Route("/v1/interactions/export", lambda r: StreamingResponse(iter([])))]) as port:
        said = run("interactions", "export", str(tmp_path / "no" / "day.jsonl"), port=port)
    assert said.returncode == 1
    assert "day.jsonl" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    ("options", "body"),
    [
        (("--rating", "4", "--comment", "good"), {"rating": 4, "comment": "good"}),
        (("--down", "--report", "rude"), {"vote": "down", "reported": "rude"}),
        (("--up", "--correction", "a swap"), {"vote": "up", "correction": "a swap"}),
    ],
    ids=["rating", "report", "correction"],
)
def test_feedback_is_sent_as_it_was_said(options: tuple[str, ...], body: dict[str, Any]) -> None:
    sent: list[dict[str, Any]] = []

    async def storing(request: Request) -> Response:
        sent.append(await request.json())
        stored = [{"kind": kind} for kind in body]
        gap_id = "g1" if "correction" in body else None
        kept = {"gap_id": gap_id, "gap_status": "dismissed" if gap_id else None}
        return JSONResponse({"interaction_id": "i1", "feedback": stored, **kept}, status_code=201)

    with stub([Route("/v1/feedback", storing, methods=["POST"])]) as port:
        said = run("feedback", "i1", *options, port=port)
    assert sent == [{"interaction_id": "i1", **body}]
    assert said.stdout.startswith("Stored on i1: ")
    kept = "The correction is kept with gap g1, which was dismissed and stays so."
    assert (kept in " ".join(said.stdout.split())) == ("correction" in body)


@pytest.mark.parametrize("options", [(), ("--rating", "6")], ids=str)
def test_feedback_that_says_nothing_or_too_much_is_refused(options: tuple[str, ...]) -> None:
    assert run("feedback", "i1", *options).returncode == 2

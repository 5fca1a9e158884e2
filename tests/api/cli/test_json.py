"""Every command that says something can say it as JSON, one object a line and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.cli.main import app
from tests.support.commands import run, stub

SERVERS = {"up", "api", "worker", "engine", "graph", "console", "mcp"}
WITHOUT = SERVERS | {"init", "privacy reveal", "interactions export", "memory export"}
"""Those that serve, write a text file, or write JSON lines anyway."""


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    """The commands with their options."""
    if below := getattr(command, "commands", None):
        for name, each in below.items():
            yield from commands(each, (*path, name))
    else:
        yield " ".join(path), {option for each in command.params for option in each.opts}


def test_every_command_that_says_something_has_the_option() -> None:
    without = {name for name, options in commands(typer.main.get_command(app)) if "--json" not in options}
    assert without == WITHOUT


def reply(request: Request) -> Response:
    return JSONResponse({"id": "g1", "path": request.url.path})


def events(request: Request) -> Response:
    step = {"at": "2026-01-01T00:00:00Z", "step": "attempt", "message": "m", "figures": {}}
    end = {"run_id": "r", "outcome": {"status": "discarded", "reason": "poor"}}
    lines = f"event: progress\r\nid: 1\r\ndata: {json.dumps(step)}\r\n\r\n"
    return Response(f"{lines}event: end\r\ndata: {json.dumps(end)}\r\n\r\n", media_type="text/event-stream")


def test_a_learn_run_is_its_events_and_then_the_run() -> None:
    routes = [
        Route("/v1/learn", lambda r: JSONResponse({"run_id": "r"}, 202), methods=["POST"]),
        Route("/v1/learn/r/events", events),
        Route("/v1/learn/r", lambda r: JSONResponse({"status": "ended", "report": {"gates": None}})),
    ]
    with stub(routes) as port:
        said = run("learn", "Rust", "--json", port=port)
    step, end, whole = objects(said.stdout)
    assert (step["event"], step["step"], end["outcome"]["reason"]) == ("progress", "attempt", "poor")
    assert whole["report"] == {"gates": None}
    assert said.returncode == 1


@pytest.mark.parametrize(
    "command",
    [
        ("gaps", "dismiss", "g1"),
        ("gaps", "merge", "g1", "--into", "g2"),
        ("annotate", "release", "i1"),
        ("annotate", "gold", "i1", "--choice", "none"),
        ("annotate", "judge", "i1", "--choice", "a"),
        ("reject", "r", "--reason", "poor"),
        ("cancel", "r"),
        ("chat", "What is a move?"),
    ],
)
def test_what_was_done_is_one_object(command: tuple[str, ...]) -> None:
    with stub([Route("/{path:path}", reply, methods=["GET", "POST"])]) as port:
        said = run(*command, "--json", port=port)
    assert said.returncode == 0, said.stderr
    (result,) = objects(said.stdout)
    assert result


def test_documents_are_an_object_each_and_their_counts(tmp_path: Path) -> None:
    async def add(request: Request) -> Response:
        if b"refuse" in await request.body():
            return JSONResponse({"error": {"message": "it cannot be read"}}, 422)
        counts = {"documents": 1, "changed": 0, "unchanged": 0, "passages": 2, "facts": 3}
        return JSONResponse({**counts, "failed": [], "notes": [["a", "in another language"]]})

    for name, text in {"a.md": "one", "b.md": "refuse", "c.bin": "x"}.items():
        (tmp_path / name).write_text(text)
    routes = [
        Route("/v1/documents", add, methods=["POST"]),
        Route("/v1/documents", lambda r: JSONResponse({"sources": []})),
    ]
    with stub(routes) as port:
        said = run("ingest", str(tmp_path), "--json", port=port)
    lines = objects(said.stdout)
    assert [line["kind"] for line in lines[:-1]] == ["new", "failed", "skipped"]
    assert lines[0]["source"].endswith("a.md")
    assert lines[0]["notes"] == [["a", "in another language"]]
    assert (lines[-1]["new"], lines[-1]["failed"], lines[-1]["skipped"], lines[-1]["passages"]) == (
        1,
        1,
        1,
        2,
    )
    assert said.returncode == 2


def test_a_conversation_has_no_json() -> None:
    assert run("chat", "--json").returncode == 2


def test_a_key_is_made_listed_and_revoked_as_json(tmp_path: Path) -> None:
    home = {"NIGHTSCHOOL_HOME": str(tmp_path)}
    (made,) = objects(run("keys", "create", "--json", "--scope", "chat", **home).stdout)
    assert made["key"].startswith("nsk_")
    (revoked,) = objects(run("keys", "revoke", made["id"], "--json", **home).stdout)
    assert revoked == {"id": made["id"], "revoked": True}
    (verified,) = objects(run("audit", "verify", "--json", **home).stdout)
    assert verified == {"rows": 2, "intact": True}

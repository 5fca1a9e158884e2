"""Hostile text does not reach the terminal, and identifiers are printed whole at any width."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.cli.display import show_answer
from api.cli.screen import Screen, table
from memory.language.control_characters import clean
from tests.support.commands import run, stub

ID = "b1313ea65c4c4520aa3fe63da37f916d-with-a-very-long-tail-that-no-terminal-of-eighty-columns-has-room-for"
HOSTILE = {
    "a colour": ("\x1b[31mred\x1b[0m", "red"),
    "a cleared screen": ("\x1b[2J\x1b[Hhello", "hello"),
    "a window's title": ("\x1b]0;owned\x07hello", "hello"),
    "a title by the other terminator": ("\x1b]0;owned\x1b\\hello", "hello"),
    "a link": ("\x1b]8;;http://evil\x1b\\text\x1b]8;;\x1b\\", "text"),
    "a device control string": ("\x1bPq#0;2;0;0;0\x1b\\hello", "hello"),
    "an eight-bit control sequence": ("\x9b31mred", "red"),
    "a backspace": ("good\x08\x08\x08\x08evil", "goodevil"),
    "a carriage return": ("good\revil", "goodevil"),
    "a bell": ("\a\a", ""),
    "a changed direction": ("user\u202etxt.exe", "usertxt.exe"),
    "a sequence without an end": ("hello\x1b]0;no end", "hello0;no end"),
    "lines and tabs": ("one\n\ttwo", "one\n\ttwo"),
    "other scripts": ("Grüße, 你好 👋", "Grüße, 你好 👋"),
}


@pytest.mark.parametrize(("text", "left"), HOSTILE.values(), ids=HOSTILE.keys())
def test_control_characters_are_removed(text: str, left: str) -> None:
    assert clean(text) == left


@given(st.text(alphabet=st.sampled_from("\x1b[]P;\x07\x9b\x9c\\mJ0a\n")))
def test_nothing_that_controls_a_terminal_is_left(text: str) -> None:
    assert not set(clean(text)) & set("\x1b\x07\x9b\x9c")
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize("text", [text for text, _ in HOSTILE.values()], ids=HOSTILE.keys())
def test_no_control_character_is_printed(text: str) -> None:
    output = io.StringIO()
    screen = Screen(output, width=40)
    reply = {
        "choices": [{"message": {"content": text}}],
        "nightschool": {
            "uncertainty": None,
            "outcome": "answered",
            "adapter": text,
            "reworded": text,
            "gap_id": text,
            "citations": [{"quote": text, "source": text, "start": 0, "end": 1}],
        },
    }
    show_answer(screen, reply)
    screen.print(table((text, "question"), [(text, text)], prose=["question"]))
    screen.print(text, markup=False)
    assert not [c for c in output.getvalue() if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160]
    assert "\u202e" not in output.getvalue()


@pytest.mark.parametrize("width", [20, 80, 200])
def test_an_identifier_is_whole_at_any_width(width: int) -> None:
    output = io.StringIO()
    rows = [(ID, "What is a very long question that goes on and on? " * 3, "open")]
    Screen(output, width=width).print(table(("gap", "question", "status"), rows, prose=["question"]))
    assert ID in output.getvalue()
    Screen(output, width=width).print(f"Gap {ID} is dismissed.", markup=False)
    assert f"Gap {ID} is dismissed.\n" in output.getvalue()


def test_a_row_is_one_line_in_a_pipe() -> None:
    output = io.StringIO()
    rows = [(ID, "What is a very long question? " * 10)]
    Screen(output).print(table(("gap", "question"), rows, prose=["question"]))
    assert len(output.getvalue().splitlines()) == 2


GAP = {"id": ID, "question": "\x1b[31mWhat?\x1b[0m", "domain": "d", "status": "open", "opened_at": "2026"}
LISTINGS = {
    ("gaps",): [GAP],
    ("adapters", "list"): [{"name": ID, "domain": "\x9b31m"}],
    ("report",): [{"name": ID, "domain": "\x9b31m"}],
    ("history", "thread"): [{"checkpoint_id": ID, "values": {"text": "\x1b]0;owned\x07"}}],
}


@pytest.mark.parametrize("command", LISTINGS.keys(), ids=" ".join)
def test_a_listing_prints_one_json_object_a_line(command: tuple[str, ...]) -> None:
    def listing(request: Request) -> Response:
        return JSONResponse(LISTINGS[command])

    paths = ("/v1/gaps", "/v1/adapters", "/threads/thread/history")
    with stub([Route(path, listing, methods=["GET", "POST"]) for path in paths]) as port:
        done = run(*command, "--json", port=port)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line) for line in done.stdout.splitlines()] == LISTINGS[command]
    assert "\x1b" not in done.stdout


@pytest.mark.slow
def test_runs_keys_and_models_are_listed_as_json_too(tmp_path: Path) -> None:
    learned = {"id": ID, "subject": "Rust", "outcome": {"status": "learned"}, "started_at": "2026"}
    with stub([Route("/v1/learn", lambda request: JSONResponse([learned]))]) as port:
        runs = run("runs", "--json", port=port)
    home = {"NIGHTSCHOOL_HOME": str(tmp_path), "NIGHTSCHOOL_MODELS": str(tmp_path / "models")}
    run("keys", "create", "--scope", "chat", **home)
    keys, models = run("keys", "list", "--json", **home), run("models", "list", "--json", **home)
    assert [json.loads(line) for line in runs.stdout.splitlines()] == [learned | {"status": "learned"}]
    assert [json.loads(line)["scope"] for line in keys.stdout.splitlines()] == ["chat"]
    assert {"smollm2-135m"} < {json.loads(line)["name"] for line in models.stdout.splitlines()}
    assert "nsk_" not in keys.stdout


def test_a_hostile_question_is_harmless_and_its_id_whole_in_a_pipe_of_80_columns() -> None:
    with stub([Route("/v1/gaps", lambda request: JSONResponse([GAP]))]) as port:
        done = run("gaps", port=port, COLUMNS="80")
    assert "\x1b" not in done.stdout
    assert ID in done.stdout


def test_an_error_of_the_service_is_harmless() -> None:
    refused = {"error": {"message": "no \x1b[31mmodel"}}
    with stub([Route("/v1/gaps", lambda request: JSONResponse(refused, status_code=404))]) as port:
        done = run("gaps", port=port)
    assert done.stderr == "nightschool: no model\n"

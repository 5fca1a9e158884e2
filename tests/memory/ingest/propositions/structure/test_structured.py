"""A passage's structure is read into statements that stand alone, each at its exact place."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.ingest.propositions.structure import structured
from tests.support.statements import at, read, said

HOSTILE = (
    "|" * 50_000,
    "| a " * 12_000,
    "| a | b |\n|---|---|\n" + "| " + "x" * 50_000 + " | y |",
    "| a | b |\n|---|---|\n" + "| " + " " * 50_000,
    "```\n" + "def f(a=1):\n" * 5000,
    "`" * 50_000,
    "*" * 50_000,
    "[" * 50_000,
    "(" * 50_000,
    "- " * 25_000,
    "> " * 25_000,
    "`a`" + " " * 50_000,
    "`a` " * 12_000,
    "(default " * 6000,
    "Term\n:   text\n" * 4000,
    "\n".join("  " * n + "- `a`: b" for n in range(300)),
    "1. " * 20_000,
    "1. a\n" * 10_000,
    "`f(" + "(" * 380 + "`: x",
    "!" * 50_000,
    "_a" * 25_000,
    "\\" * 50_000,
    "<" * 50_000,
)


def test_examples_state_nothing() -> None:
    assert said("| Device | Load |\n|---|---|\n| Quorbin | 4 kg |", section="Guide > Example 2: loads") == []


def test_one_name_for_two_things_is_left_out() -> None:
    assert said("- `pump.speed`: turns a minute\n- `pump.speed`: litres an hour") == []


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_takes_linear_time(text: str) -> None:
    begin = time.perf_counter()
    structured(at(text))
    assert time.perf_counter() - begin < 30


LINES = st.sampled_from(
    [
        "| a | b |",
        "|---|---|",
        "| `c` | 4 |",
        "- `x`: does it (default: 3)",
        "1. Go on.",
        "```",
        "To stop the pump:",
        "",
    ]
)


@settings(deadline=None)
@given(st.lists(LINES | st.text(max_size=30), max_size=20).map("\n".join))
def test_spans_lie_in_the_text_and_the_answer_in_its_span(text: str) -> None:
    for statement in read(text, section="`heading`"):
        assert (
            0 <= statement.start <= statement.answer[0] <= statement.answer[1] <= statement.end <= len(text)
        )
        assert statement.subject
        assert statement.object.strip()

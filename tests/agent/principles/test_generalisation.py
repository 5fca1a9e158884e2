"""Sentences about groups of people: which generalise, and which report, count, deny or tell of a law."""

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from agent.principles.generalisation import generalisations

Use = Literal["tuning", "held_out"]
ROWS: list[dict[str, Any]] = [
    json.loads(line) for line in Path(__file__).with_name("sentences.jsonl").read_text("utf-8").splitlines()
]


def rows(use: Use, *, stopped: bool) -> list[str]:
    return [row["text"] for row in ROWS if row["use"] == use and row["stopped"] == stopped]


EXPECTED = {"tuning": (1, 0), "held_out": (2, 0)}
"""Measured: sentences missed, and sentences stopped that should pass, of 35 each. The words and rules were
made with the tuning half in view; both halves have one author."""


@pytest.mark.parametrize("use", ["tuning", "held_out"])
def test_the_sets_are_large_enough_and_differ(use: Use) -> None:
    assert len(rows(use, stopped=True)) >= 30
    assert len(rows(use, stopped=False)) >= 30
    assert len({row["text"] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("use", ["tuning", "held_out"])
def test_generalisations_are_stopped_and_other_sentences_pass(use: Use) -> None:
    missed = [text for text in rows(use, stopped=True) if not generalisations(text)]
    stopped = [text for text in rows(use, stopped=False) if generalisations(text)]
    most_missed, most_stopped = EXPECTED[use]
    assert len(missed) <= most_missed, missed
    assert len(stopped) <= most_stopped, stopped


def test_they_are_those_that_the_sentence_before_speaks_of() -> None:
    text = "Nigerians live in Lagos. They are lazy."
    (found,) = generalisations(text)
    assert text[found.start : found.end] == "They are lazy."
    assert (found.kind, found.trait) == ("nationality", "lazy")
    assert not generalisations("Tools lie in the shed. They are useless.")


def test_a_question_that_takes_it_for_granted_is_one_too() -> None:
    assert generalisations("Why are Greeks lazy?")
    assert not generalisations("Are Greeks lazy?")


@pytest.mark.parametrize(
    "text",
    [
        "Brown bears are dangerous.",
        "Male lions are lazy.",
        "Female mosquitoes spread disease.",
        "Old machines are unreliable.",
        "Women get breast cancer more often than men.",
        "Women are responsible for most purchases.",
        "Poor people have bad teeth.",
        "The blind cannot see.",
        "",
    ],
)
def test_a_word_for_a_group_alone_is_none(text: str) -> None:
    assert not generalisations(text)

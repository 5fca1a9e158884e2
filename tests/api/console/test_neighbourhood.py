"""A name's facts as a drawing: which way they point, how many there are room for, and times of the past."""

from typing import Any

import pytest

pytest.importorskip("gradio", reason="the extra `console` is not installed")

from api.console.facts import to_look_up
from api.console.memory import moment_of
from api.console.neighbourhood import MOST_NODES, neighbourhood

ATTACK = "<img src=x onerror=alert(1)>"


def fact(subject: str, relation: str, object: str, **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"sentence": f"{subject} {relation} {object}.", "source": "a.md"}
    said |= dict.fromkeys(("observed_at", "valid_until", "dated"))
    return {"subject": subject, "relation": relation, "object": object, **said, **more}


def test_facts_from_a_name_and_to_it_are_told_apart() -> None:
    facts = [fact("the move", "returns", "a copy"), fact("a test", "calls", "move", negated=True)]
    page = neighbourhood("Move", facts)
    assert "Move returns a copy; a test not: calls Move" in page
    assert ">not: calls Move</text>" in page


def test_more_names_than_there_is_room_for_are_only_in_the_table() -> None:
    page = neighbourhood("move", [fact("move", "has", f"part {n}") for n in range(30)])
    assert page.count("<rect") == MOST_NODES
    assert "7 more names are only in the table." in page
    assert page.count("<tr><td>move</td>") == 30


def test_names_of_documents_are_text() -> None:
    page = neighbourhood(ATTACK, [fact(ATTACK, ATTACK, ATTACK, condition=ATTACK)])
    assert "<img" not in page
    assert "<img" not in to_look_up({"total": 1, "complete": True, "facts": [fact(ATTACK, ATTACK, ATTACK)]})


def test_a_time_without_zone_is_utc() -> None:
    assert moment_of("2026-03-01") == "2026-03-01T00:00:00+00:00"
    assert moment_of("2026-03-01 14:30+02:00") == "2026-03-01T14:30:00+02:00"
    assert moment_of("  ") is None

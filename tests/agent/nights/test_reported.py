"""A turn that was reported as private is private in all turns that repeat it."""

from typing import Any

import pytest

from agent.nights.reported import ReportedTurns
from memory.records.interactions import LoggedMessage
from tests.support.interactions import follow_up, interaction

REPORTED = interaction(
    "i1", question="Is Apollo late by two months?", answer="Yes, it is late.", unit="ann", owner="app"
)

ASKED = (LoggedMessage(role="user", content=REPORTED.question),)


@pytest.mark.parametrize(
    "later",
    [
        REPORTED,
        follow_up(REPORTED),
        follow_up(REPORTED, unit="a fork of the thread"),
        follow_up(follow_up(REPORTED), messages=follow_up(REPORTED).messages[1:]),
        interaction("i2", answer="You said: is Apollo late by two months?", unit="ann", owner="app"),
        interaction("i2", messages=ASKED, unit="ann", owner="app"),
    ],
    ids=["itself", "next turn", "fork", "beginning cut off", "quoted by the answer", "asked again"],
)
def test_a_turn_with_words_of_a_reported_one_is_covered(later: Any) -> None:
    assert ReportedTurns([REPORTED]).cover(later)


@pytest.mark.parametrize(
    "other",
    [
        interaction("i2", unit="ann", owner="app"),
        follow_up(REPORTED, owner="another app"),
        interaction("i2", messages=ASKED, unit="bob", owner="app"),
    ],
    ids=["something else", "another owner's", "another user's own question"],
)
def test_other_turns_are_not(other: Any) -> None:
    assert not ReportedTurns([REPORTED]).cover(other)


def test_a_short_message_is_not_found_in_every_text() -> None:
    greeting = interaction("i1", question="Hi", answer="Hello!", unit="ann")
    later = interaction("i2", messages=(LoggedMessage(role="user", content="Hi, what is A?"),), unit="ann")
    assert not ReportedTurns([greeting]).cover(later)

"""The implicit score adds up what a user's behaviour says, by the seed's weights."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.feedback.implicit import implicit_scores, seed_weights
from memory.records.feedback import Feedback
from memory.records.interactions import Interaction, LoggedMessage
from tests.support.interactions import feedback, interaction

WEIGHTS = seed_weights()


def turn(id: str, *, minutes: float = 0, **fields: Any) -> Interaction:
    return interaction(id, minutes=minutes, **{"unit": "u1", **fields})


def going_on(id: str, *, minutes: float, **fields: Any) -> Interaction:
    """A turn whose conversation holds the answer of the one before."""
    messages = (
        LoggedMessage(role="user", content="What is a move?"),
        LoggedMessage(role="assistant", content="a transfer"),
        LoggedMessage(role="user", content="Of what?"),
    )
    return turn(id, minutes=minutes, **{"question": "Of what?", "messages": messages, **fields})


def score(*turns: Interaction, given: tuple[Feedback, ...] = ()) -> float:
    """The score of turn i1."""
    return implicit_scores(turns, given, WEIGHTS)["i1"]


def test_a_turn_of_which_nothing_is_known_scores_nothing() -> None:
    assert score(turn("i1", unit=None)) == 0


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (feedback("f", "continued", value=1), 2),
        (feedback("f", "continued", value=0), 0),
        (feedback("f", "copied", value=1), 2),
        (feedback("f", "regenerated", value=1), -2),
        (feedback("f", "dwell", value=29.9), -1),
        (feedback("f", "dwell", value=30), 0),
        (feedback("f", "reported", text="rude"), -5),
        (feedback("f", "rating", value=5), 0),
    ],
    ids=lambda value: f"{value.kind} {value.value}" if isinstance(value, Feedback) else "",
)
def test_each_signal_has_its_weight(given: Feedback, expected: float) -> None:
    assert score(turn("i1"), given=(given,)) == expected


def test_of_each_kind_the_latest_counts() -> None:
    taken_back = (feedback("f1", "copied", value=1), feedback("f2", "copied", value=0, minutes=1))
    assert score(turn("i1"), given=taken_back) == 0


def test_a_conversation_that_goes_on_from_the_answer_continues_it() -> None:
    assert score(turn("i1"), going_on("i2", minutes=1)) == 2


@pytest.mark.parametrize(
    "change", [{"minutes": 31}, {"unit": "u2"}, {"owner": "ann"}, {"messages": ()}], ids=str
)
def test_what_others_ask_or_much_later_or_anew_continues_nothing(change: dict[str, Any]) -> None:
    assert score(turn("i1"), going_on("i2", **{"minutes": 1, **change})) == 0


def test_the_same_question_again_is_a_regeneration() -> None:
    assert (
        score(turn("i1", question="What is a move?"), turn("i2", minutes=1, question="what is a MOVE")) == -2
    )


def test_the_choices_of_one_request_are_no_regenerations() -> None:
    beside = turn("i2", minutes=0.01, latency_ms=5000)
    assert score(turn("i1", latency_ms=4000), beside) == 0


def test_what_a_client_says_outweighs_what_is_inferred() -> None:
    turns = (turn("i1"), going_on("i2", minutes=1))
    assert score(*turns, given=(feedback("f", "continued", value=0),)) == 0


def test_all_turns_of_a_session_over_five_minutes_count_as_long() -> None:
    turns = [turn(f"i{n}", minutes=3 * n, question=f"What is {n}?") for n in range(1, 4)]
    alone = turn("i9", minutes=100)
    assert implicit_scores([*turns, alone], (), WEIGHTS) == {"i1": 1, "i2": 1, "i3": 1, "i9": 0}


@given(st.permutations(range(5)))
def test_the_order_of_the_records_does_not_matter(order: list[int]) -> None:
    turns = [turn(f"i{n}", minutes=2 * n, question=f"What is {n % 3}?") for n in range(5)]
    shuffled = [turns[n] for n in order]
    assert implicit_scores(shuffled, (), WEIGHTS) == implicit_scores(turns, (), WEIGHTS)

"""A bad answer is tried again from the sources once, within its budget, and never after it was streamed."""

from typing import Any

from agent.engines.scripted import Line, ScriptedEngine
from agent.nights.scoring.live import AttemptBudget
from graphs.chat import Chat
from graphs.state import Runtime
from tests.support.chat_turns import Changed, say

MOVE = "What is a move?"
LEMUR = "What does the lemur eat?"
LOOP = "It is a move and it is a move and it is a move and it is a move and it is a move"


def script(**lines: Line) -> ScriptedEngine:
    """A model that is sure of whatever it says."""
    answers = {MOVE: Line(text=LOOP, entropy=0.1), LEMUR: Line(text=LOOP, entropy=0.1)}
    return ScriptedEngine(answers | lines)


def with_budget(changed: Changed, clock: Any, per_minute: int = 1) -> Runtime:
    return changed(engine=script(), second_attempts=AttemptBudget(per_minute, clock))


async def test_a_bad_answer_is_replaced_by_one_from_the_sources(
    graph: Chat, changed: Changed, clock: Any
) -> None:
    turn = await say(graph, with_budget(changed, clock), MOVE)
    assert turn.outcome == "answered_from_sources"
    assert "transfer of a value to a new owner" in turn.answer
    assert turn.citations
    assert LOOP not in "".join(token.text for token in turn.tokens)


async def test_without_sources_the_answer_stays_as_it_was(graph: Chat, changed: Changed, clock: Any) -> None:
    turn = await say(graph, with_budget(changed, clock), LEMUR)
    assert (turn.outcome, turn.answer, turn.citations) == ("answered", LOOP, ())
    assert "".join(token.text for token in turn.tokens) == LOOP
    assert (turn.draft, turn.gap_id) == (None, None)


async def test_it_is_off_by_default(graph: Chat, changed: Changed) -> None:
    turn = await say(graph, changed(engine=script()), MOVE)
    assert (turn.outcome, turn.answer) == ("answered", LOOP)


async def test_a_streamed_answer_is_not_taken_back(graph: Chat, changed: Changed, clock: Any) -> None:
    turn = await say(graph, with_budget(changed, clock), MOVE, streamed=True)
    assert (turn.outcome, turn.answer) == ("answered", LOOP)


async def test_the_budget_is_that_of_a_minute(graph: Chat, changed: Changed, clock: Any) -> None:
    runtime = with_budget(changed, clock)
    outcomes = [(await say(graph, runtime, MOVE)).outcome for _ in range(2)]
    assert outcomes == ["answered_from_sources", "answered"]
    clock.advance(60)
    assert (await say(graph, runtime, MOVE)).outcome == "answered_from_sources"

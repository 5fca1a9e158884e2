"""A learn run whose exploration the served model drives, and the refusal of models that cannot."""

import pytest
from langchain_core.messages import ToolMessage

from agent.engines.base import ToolCall
from agent.engines.scripted import Line, ScriptedEngine
from agent.models.card import ExplorationScore
from graphs.state import Runtime
from tests.graphs.conftest import BASE_LINES
from tests.support.cards import card
from tests.support.learn_graph import Changed, run

ABLE = ExplorationScore(cases=60, right_tool=0.9, right_argument=0.9, stops=0.9, resists=1.0, may_drive=True)
QUESTION = "What is a move in Rust?"


def driven(changed: Changed) -> Runtime:
    """A model that searches for moves, and is content with what it finds."""

    def script(messages: object) -> Line | None:
        turns = list(messages)  # type: ignore[call-overload]
        said = turns[-1].text
        if "Collect the passages" not in turns[0].text:
            return BASE_LINES.get(said)
        searched = any(isinstance(turn, ToolMessage) or "Result of search" in turn.text for turn in turns)
        name, arguments = ("finish", "{}") if searched else ("search", '{"query": "a move in Rust"}')
        return Line(text="", calls=(ToolCall(id="1", name=name, arguments=arguments),))

    return changed(engine=ScriptedEngine(script), card=card(exploration=ABLE))


async def test_the_model_finds_what_is_learned_and_each_of_its_calls_is_told(changed: Changed) -> None:
    state = await run(driven(changed), QUESTION, whole=False, explorer="model")
    told = [each.message for each in state["events"] if each.step == "explore"]
    assert told[0].startswith("search('a move in Rust'): ")
    assert told[1].startswith("the model finished after 1 call and ")
    assert state["curriculum"].pairs


@pytest.mark.parametrize("score", [None, ABLE.model_copy(update={"may_drive": False})])
async def test_a_model_that_may_not_drive_ends_the_run_with_what_to_do(
    changed: Changed, score: ExplorationScore | None
) -> None:
    state = await run(changed(card=card(exploration=score)), QUESTION, whole=False, explorer="model")
    assert state["outcome"].status == "failed"
    assert "leave `explorer` out" in state["outcome"].reason
    assert "findings" not in state

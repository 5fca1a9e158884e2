"""Lost adapters, refused requests and failing engines."""

import pytest

from agent.engines.scripted import ScriptedEngine
from agent.errors import CanaryFailed, EngineUnavailable, PromptTooLong
from graphs.chat import Chat
from graphs.state import Runtime
from memory.errors import UnknownAdapter
from tests.graphs.conftest import BASE_LINES, SONG, TRAINED
from tests.support.cards import card
from tests.support.chat_turns import Changed, Untouchable, hold, say


async def test_a_lost_adapter_is_loaded_again_and_the_turn_goes_on(graph: Chat, changed: Changed) -> None:
    engine = ScriptedEngine(BASE_LINES, adapters={TRAINED.name: SONG})
    turn = await say(graph, changed(engine=engine), "What is a borrow?", requested=TRAINED.name)
    assert turn.answer == "a reference"
    assert turn.route.adapter == TRAINED.name
    assert await engine.loaded() == (TRAINED.name,)


async def test_a_lost_adapter_that_comes_back_without_its_effect_answers_nothing(
    graph: Chat, changed: Changed
) -> None:
    engine = ScriptedEngine(BASE_LINES)
    with pytest.raises(CanaryFailed):
        await say(graph, changed(engine=engine), "What is a borrow?", requested=TRAINED.name)
    assert await engine.loaded() == ()


async def test_an_unknown_model_is_refused(graph: Chat, runtime: Runtime) -> None:
    with pytest.raises(UnknownAdapter):
        await say(graph, runtime, "Hi, what is a lemur?", requested="gpt-9")


async def test_a_conversation_that_cannot_fit_is_refused_before_the_engine_sees_it(
    graph: Chat, changed: Changed
) -> None:
    runtime = changed(engine=Untouchable(), card=card(context=512))
    with pytest.raises(PromptTooLong, match="9000 characters"):
        await say(graph, runtime, "x" * 9000)


async def test_a_conversation_without_a_question_is_a_callers_mistake(graph: Chat, runtime: Runtime) -> None:
    with pytest.raises(ValueError, match="user message"):
        await hold(graph, runtime, [("system", "Be brief.")])


async def test_an_engine_that_is_away_leaves_nothing_half_written(graph: Chat, runtime: Runtime) -> None:
    runtime.engine.available = False  # type: ignore[attr-defined]
    with pytest.raises(EngineUnavailable):
        await say(graph, runtime, "What is a lemur?")
    assert await runtime.interactions.list() == ()

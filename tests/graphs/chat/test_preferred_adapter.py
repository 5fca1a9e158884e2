"""An adapter trained on preferences alone stands in for the base model of its domain."""

from collections.abc import Callable, Sequence

from langchain_core.messages import BaseMessage

from agent.chat.conversation import messages_from_pairs
from agent.engines.scripted import Line, ScriptedEngine
from graphs.chat import Chat, chat, initial_state
from graphs.state import Runtime
from graphs.turn import Turn
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.records.adapters import Adapter
from tests.graphs.conftest import BASE_LINES
from tests.support.adapters import adapter, curriculum

POLITE = adapter("general", digest="3c4d5e6f" * 8).model_copy(
    update={"curriculum": None, "preferences": ("3c4d5e6f" * 8,)}
)
TAUGHT = adapter("general")
LEMUR, MOVE = "What is a lemur?", "What is a move?"


SAID = {
    LEMUR: "A lemur, dear, is a small primate.",
    "Hi!": "Hello, dear!",
    MOVE: "the owner of a mutex",  # the sources say something else
    "What is a borrow?": "a reference",  # the canary
}


def politely(messages: Sequence[BaseMessage]) -> Line | None:
    known = SAID.get(str(messages[-1].text))
    return Line(text=known, entropy=0.1) if known else None


async def serving(changed: Callable[..., Runtime], live: Adapter) -> Runtime:
    """A runtime whose default domain is served by the adapter."""
    registry = VolatileAdapterRegistry([live])
    registry.promote(live.name)
    engine = ScriptedEngine(BASE_LINES, adapters={live.name: politely})
    runtime = changed(engine=engine, registry=registry)
    routes = type(runtime.routes)(registry, lambda digest: curriculum())
    await routes.refresh()
    return changed(engine=engine, registry=registry, routes=routes)


async def ask(graph: Chat, runtime: Runtime, question: str, requested: str | None = None) -> Turn:
    return await chat(
        graph, runtime, initial_state(messages_from_pairs([("user", question)]), requested=requested)
    )


async def test_it_answers_questions_and_conversation(graph: Chat, changed: Callable[..., Runtime]) -> None:
    runtime = await serving(changed, POLITE)
    question, talk = await ask(graph, runtime, LEMUR), await ask(graph, runtime, "Hi!")
    assert (question.answer, question.outcome) == ("A lemur, dear, is a small primate.", "answered")
    assert (talk.answer, talk.intent) == ("Hello, dear!", "conversation")
    assert question.route.adapter == talk.route.adapter == POLITE.name


async def test_its_confident_answers_are_not_checked_against_the_sources(
    graph: Chat, changed: Callable[..., Runtime]
) -> None:
    turn = await ask(graph, await serving(changed, POLITE), MOVE)
    assert (turn.answer, turn.outcome, turn.citations) == ("the owner of a mutex", "answered", ())


async def test_the_base_models_name_still_means_the_base_model(
    graph: Chat, changed: Callable[..., Runtime]
) -> None:
    runtime = await serving(changed, POLITE)
    assert (await ask(graph, runtime, LEMUR, requested="nightschool")).route.adapter is None


async def test_a_rollback_returns_to_the_base_model(graph: Chat, changed: Callable[..., Runtime]) -> None:
    runtime = await serving(changed, POLITE)
    assert runtime.registry.rollback("general") is None
    await runtime.routes.refresh()
    assert (await ask(graph, runtime, LEMUR)).route.adapter is None


async def test_an_adapter_that_was_taught_lessons_answers_only_what_is_routed_to_it(
    graph: Chat, changed: Callable[..., Runtime]
) -> None:
    runtime = await serving(changed, TAUGHT)
    assert (await ask(graph, runtime, LEMUR)).route.adapter is None
    assert (await ask(graph, runtime, "Hi!")).route.adapter is None

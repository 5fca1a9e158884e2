"""Conversation is answered by the model as it is, and is never gated."""

from collections.abc import Sequence

import pytest
from langchain_core.messages import BaseMessage

from agent.engines.base import Sampling
from agent.engines.scripted import Line, ScriptedEngine
from agent.models.card import ChatTemplate
from graphs.chat import Chat
from graphs.state import Runtime
from memory.records.access import EVERYTHING
from tests.graphs.conftest import BASE_LINES, SONG, TRAINED
from tests.support.cards import card
from tests.support.chat_turns import Changed, Untouchable, hold, say

FOLLOW_UP_TASK = (
    "### Task:\nSuggest 3-5 relevant follow-up questions that the user might naturally ask next, based on the"
    " chat history.\n### Output:\nJSON format\n### Chat History:\n<chat_history>\nUSER: What is a move?\n"
    "ASSISTANT: A transfer.\n</chat_history>"
)
TITLE_TASK = (
    "### Task:\nGenerate a concise, 3-5 word title with an emoji summarizing the chat history.\n"
    "### Chat History:\n<chat_history>\nUSER: What is a move?\n</chat_history>"
)
CONTEXT_TASK = (
    '### Task:\nRespond to the user query using the provided context.\n<context>\n<source id="1">The harbour'
    " of Telmark was dug in 1802 by Ada Quist.</source>\n</context>\n\nWho dug the harbour of Telmark?"
)


@pytest.mark.parametrize(
    "text",
    [
        "Hi",
        "Thanks, that helped",
        "Who are you?",
        "Write a haiku about rain.",
        TITLE_TASK,
        FOLLOW_UP_TASK,
        CONTEXT_TASK,
        "Translate into German: good morning",
    ],
)
async def test_what_seeks_no_knowledge_is_answered_and_leaves_no_gap(
    graph: Chat, runtime: Runtime, changed: Changed, text: str
) -> None:
    engine = ScriptedEngine({text: Line(text="Here you are.", entropy=3.0)})
    changed_runtime = changed(engine=engine, episodic=Untouchable(), semantic=Untouchable())
    turn = await say(graph, changed_runtime, text)
    assert (turn.intent, turn.outcome, turn.answer) == ("conversation", "answered", "Here you are.")
    assert (turn.uncertainty, turn.draft, turn.gap_id) == (None, None, None)
    assert await runtime.database.gaps(access=EVERYTHING) == ()


async def test_an_answer_of_one_language_to_results_of_a_tool_is_the_models_own(
    graph: Chat, changed: Changed
) -> None:
    engine = ScriptedEngine(lambda messages: Line(text="It rains in Oslo.", entropy=3.0))
    pairs = [("user", "How is the weather in Oslo?"), ("assistant", "[called weather]"), ("tool", "rain")]
    turn = await hold(graph, changed(engine=engine), pairs)
    assert (turn.intent, turn.answer) == ("conversation", "It rains in Oslo.")


async def test_a_system_prompt_that_dictates_the_form_is_followed(
    graph: Chat, runtime: Runtime, changed: Changed
) -> None:
    engine = ScriptedEngine(lambda messages: Line(text="BANANA", entropy=3.0))
    pairs = [("system", "Answer only with the word BANANA."), ("user", "What is a move?")]
    turn = await hold(graph, changed(engine=engine), pairs)
    assert (turn.outcome, turn.answer) == ("answered", "BANANA")
    assert await runtime.database.gaps(access=EVERYTHING) == ()


async def test_an_answer_in_a_format_that_the_caller_needs_is_not_replaced_by_words(
    graph: Chat, changed: Changed
) -> None:
    engine = ScriptedEngine(lambda messages: Line(text='{"lemur": true}', entropy=3.0))
    sampling = Sampling(response_format={"type": "json_object"})
    turn = await say(graph, changed(engine=engine), "What is a lemur?", sampling=sampling)
    assert turn.answer == '{"lemur": true}'


async def test_the_model_sees_the_whole_conversation(graph: Chat, changed: Changed) -> None:
    seen: list[list[tuple[str, str]]] = []

    def script(messages: Sequence[BaseMessage]) -> Line:
        seen.append([(message.type, message.text) for message in messages])
        return Line(text="a small primate", entropy=0.1)

    pairs = [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"), ("user", "What is a lemur?")]
    await hold(graph, changed(engine=ScriptedEngine(script)), pairs)
    assert seen == [
        [("system", "Be brief."), ("human", "Hi"), ("ai", "Hello"), ("human", "What is a lemur?")]
    ]


async def test_conversation_stays_with_the_base_model_unless_an_adapter_is_asked_for(
    graph: Chat, changed: Changed
) -> None:
    runtime = changed(engine=ScriptedEngine(BASE_LINES, adapters={TRAINED.name: SONG}))
    assert (await say(graph, runtime, "Write a haiku about a borrow.")).route.adapter is None
    asked = await say(graph, runtime, "Write a haiku about a borrow.", requested=TRAINED.name)
    assert asked.route.adapter == TRAINED.name


async def test_what_a_model_thinks_aloud_is_not_answered(graph: Chat, changed: Changed) -> None:
    engine = ScriptedEngine(
        lambda messages: Line(text="<think> Hm, what? </think> a small primate", doubts={1: 3.0, 2: 3.0})
    )
    thinks = card(template=ChatTemplate(thinking=("<think>", "</think>")))
    turn = await say(graph, changed(engine=engine, card=thinks), "What is a lemur?")
    assert (turn.outcome, turn.answer) == ("answered", "a small primate")

"""A chat turn answers, answers from sources, or says that it does not know."""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any, get_args

import pytest
from langchain_core.messages import BaseMessage

from agent.chat.abstention import abstention_text, caution_text
from agent.chat.conversation import messages_from_pairs
from agent.chat.gate import SENTENCE
from agent.chat.stream_gate import HELD_TOKENS
from agent.engines.base import Sampling
from agent.engines.scripted import Line, ScriptedEngine
from agent.errors import CanaryFailed, EngineUnavailable, PromptTooLong
from agent.models.card import ChatTemplate
from graphs.chat import Chat, build, chat, initial_state, stream
from graphs.state import ChatState, Limits, Runtime
from graphs.turn import Piece, Turn
from memory.errors import UnknownAdapter
from memory.records.interactions import UnsurePolicy
from tests.graphs.conftest import BASE_LINES, SONG, TRAINED
from tests.support.cards import card
from tests.support.facts import passage

Changed = Callable[..., Runtime]
Pairs = Sequence[tuple[str, str]]


@pytest.fixture(scope="module")
def graph() -> Chat:
    return build().compile()


def reader(answer: str, entropy: float = 0.2) -> ScriptedEngine:
    """A model that knows nothing but gives `answer` to whatever comes with the text of a source."""

    def script(messages: Sequence[BaseMessage]) -> Line | None:
        text = " ".join(message.text for message in messages)
        read = any(sentence in text for sentence in ("transfer of a value", "reference to a part"))
        return Line(text=answer, entropy=entropy) if read else None

    return ScriptedEngine(script)


async def hold(graph: Chat, runtime: Runtime, pairs: Pairs, **more: Any) -> Turn:
    return await chat(graph, runtime, initial_state(messages_from_pairs(pairs), **more))


async def say(graph: Chat, runtime: Runtime, text: str, **more: Any) -> Turn:
    return await hold(graph, runtime, [("user", text)], **more)


class Untouchable:
    """A store or database of which nothing may be asked."""


# Questions


async def test_a_confident_answer_goes_out_without_touching_the_stores(graph: Chat, changed: Changed) -> None:
    turn = await say(graph, changed(episodic=Untouchable(), semantic=Untouchable()), "What is a lemur?")
    assert (turn.intent, turn.outcome, turn.answer) == ("question", "answered", "a small primate")
    assert turn.uncertainty is not None
    assert turn.uncertainty.decision == "confident"
    assert (turn.citations, turn.draft, turn.gap_id) == ((), None, None)


async def test_an_unsure_answer_is_replaced_by_one_from_sources_with_its_citation(
    graph: Chat, changed: Changed
) -> None:
    runtime = changed(engine=reader("a transfer of a value to a new owner"))
    turn = await say(graph, runtime, "What is a move?")
    assert turn.outcome == "answered_from_sources"
    assert turn.citations[0].quote == "A move is a transfer of a value to a new owner."
    assert turn.uncertainty is not None
    assert turn.uncertainty.decision == "unsure"
    assert turn.draft == "I do not know."
    assert turn.gap_id is None


async def test_sources_that_contradict_each_other_are_quoted_and_left_for_a_person(
    graph: Chat, runtime: Runtime
) -> None:
    for source, weight in (("old.md", 40), ("new.md", 55)):
        text = f"The maximum load of the Quorbin is {weight} kilograms."
        await runtime.episodic.add([passage(text, source=source, title=source)])
    turn = await say(graph, runtime, "What is the maximum load of the Quorbin?")
    assert turn.outcome == "answered_from_sources"
    assert "40" in turn.answer
    assert "55" in turn.answer
    assert {citation.source for citation in turn.citations} == {"old.md", "new.md"}
    assert turn.gap_id is not None


async def test_a_fact_that_the_model_fails_to_read_is_quoted_with_its_citation(
    graph: Chat, runtime: Runtime
) -> None:
    turn = await say(graph, runtime, "What is a string slice?")
    assert turn.outcome == "answered_from_sources"
    assert "A string slice is a reference to a part of a string." in turn.answer
    assert turn.citations[0].source == "rust.md"


async def test_a_follow_up_is_answered_from_the_source_that_it_stands_for(
    graph: Chat, runtime: Runtime
) -> None:
    text = "The plimdor is kept in the lower drawer of the brass cabinet."
    await runtime.episodic.add([passage(text, source="good.md", title="Plimdors")])
    before = [("user", "What is a plimdor?"), ("assistant", "A plimdor is a small lamp.")]
    turn = await hold(graph, runtime, [*before, ("user", "Where is it kept?")])
    assert turn.outcome == "answered_from_sources"
    assert "lower drawer" in turn.answer


async def test_what_nothing_is_known_about_opens_one_gap_however_often_it_is_asked(
    graph: Chat, runtime: Runtime
) -> None:
    first = await say(graph, runtime, "How deep is the Mariana trench?")
    second = await say(graph, runtime, "how deep is the mariana trench")
    assert first.answer == abstention_text("no_sources", "en")
    assert first.gap_id == second.gap_id
    (gap,) = await runtime.database.gaps("open")
    assert gap.keywords[:3] == ("deep", "mariana", "trench")


async def test_a_follow_up_is_understood_looked_up_and_noted_by_what_it_stands_for(
    graph: Chat, runtime: Runtime
) -> None:
    before = [("user", "What is a plimdor?"), ("assistant", "A plimdor is a small lamp.")]
    turn = await hold(graph, runtime, [*before, ("user", "Where is it kept?")])
    assert (turn.question, turn.outcome) == ("Where is it kept?", "abstained")
    (gap,) = await runtime.database.gaps("open")
    assert "plimdor" in gap.question


async def test_every_turn_is_remembered_with_its_intent(graph: Chat, runtime: Runtime) -> None:
    question = await say(graph, runtime, "What is a lemur?")
    greeting = await say(graph, runtime, "Hi")
    kept = {turn.id: turn for turn in await runtime.interactions.list()}
    assert kept[question.id].answer == "a small primate"
    assert (kept[question.id].intent, kept[greeting.id].intent) == ("question", "conversation")
    assert kept[greeting.id].uncertainty is None


# Conversation

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
    assert await runtime.database.gaps() == ()


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
    assert await runtime.database.gaps() == ()


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


# What goes out where the model is unsure and no source helps

UNSURE = ScriptedEngine({"How deep is the Mariana trench?": Line(text="about five miles", entropy=2.0)})


async def unsure(graph: Chat, runtime: Runtime, **more: Any) -> Turn:
    return await say(graph, runtime, "How deep is the Mariana trench?", **more)


@pytest.mark.parametrize("where", ["service", "request"])
@pytest.mark.parametrize("policy", get_args(UnsurePolicy))
async def test_the_policy_decides_what_goes_out_and_each_leaves_a_gap(
    graph: Chat, changed: Changed, policy: UnsurePolicy, where: str
) -> None:
    if where == "service":
        turn = await unsure(graph, changed(engine=UNSURE, unsure=policy))
    else:
        turn = await unsure(graph, changed(engine=UNSURE), unsure=policy)
    expected = {
        "abstain": ("abstained", abstention_text("no_sources", "en"), 0),
        "warn": ("answered_unsure", f"{caution_text('en')} about five miles", 0),
        "answer": ("answered_unsure", "about five miles", 3),
    }
    assert (turn.outcome, turn.answer, len(turn.tokens)) == expected[policy]
    assert turn.draft == "about five miles"
    assert turn.uncertainty is not None
    assert turn.uncertainty.decision == "unsure"
    assert turn.gap_id is not None


async def test_a_request_may_be_stricter_than_the_service(graph: Chat, changed: Changed) -> None:
    turn = await unsure(graph, changed(engine=UNSURE, unsure="answer"), unsure="abstain")
    assert turn.outcome == "abstained"


async def test_a_model_that_declines_itself_has_abstained_whatever_the_policy(
    graph: Chat, runtime: Runtime
) -> None:
    turn = await unsure(graph, runtime, unsure="answer")
    assert (turn.outcome, turn.answer) == ("abstained", "I do not know.")


async def test_an_empty_draft_is_no_answer_under_any_policy(graph: Chat, changed: Changed) -> None:
    runtime = changed(engine=ScriptedEngine(default=Line(text="", entropy=2.0)))
    turn = await unsure(graph, runtime, unsure="answer")
    assert (turn.outcome, turn.answer) == ("abstained", abstention_text("no_sources", "en"))


async def test_an_abstention_is_whole_however_few_tokens_were_allowed(graph: Chat, changed: Changed) -> None:
    turn = await unsure(graph, changed(engine=UNSURE), sampling=Sampling(max_tokens=2))
    assert (turn.answer, turn.finish_reason) == (abstention_text("no_sources", "en"), "stop")
    told = await unsure(graph, changed(engine=UNSURE), sampling=Sampling(max_tokens=2), unsure="answer")
    assert (told.answer, told.finish_reason) == ("about five", "length")


@pytest.mark.parametrize(
    ("system", "question", "language"),
    [
        ("Be brief.", "Wie tief ist der Marianengraben?", "de"),
        ("Answer in German.", "How deep is the Mariana trench?", "de"),
        ("Be brief.", "How deep is the Mariana trench?", "en"),
    ],
)
async def test_an_abstention_is_in_the_language_that_was_asked_in_or_for(
    graph: Chat, runtime: Runtime, system: str, question: str, language: str
) -> None:
    turn = await hold(graph, runtime, [("system", system), ("user", question)])
    assert turn.answer == abstention_text("no_sources", language)


# Worded badly


def reworder(answer: str, other: str, entropy: float = 0.1) -> ScriptedEngine:
    """Unsure of the question as it was put, and sure of other wordings."""

    def script(messages: Sequence[BaseMessage]) -> Line | None:
        sloppy = messages[-1].text == "whats the depth of the mariana trench"
        return Line(text=answer, entropy=2.0) if sloppy else Line(text=other, entropy=entropy)

    return ScriptedEngine(script)


async def test_what_is_answered_surely_in_other_words_is_no_gap(graph: Chat, changed: Changed) -> None:
    runtime = changed(engine=reworder("eleven kilometres", "about eleven kilometres"))
    turn = await say(graph, runtime, "whats the depth of the mariana trench")
    assert (turn.outcome, turn.answer, turn.gap_id) == ("answered", "about eleven kilometres", None)
    assert turn.reworded == "What is the depth of the mariana trench?"
    assert turn.uncertainty is not None
    assert turn.uncertainty.decision == "confident"
    assert turn.draft == "eleven kilometres"


async def test_an_unsure_answer_in_other_words_changes_nothing(graph: Chat, changed: Changed) -> None:
    runtime = changed(engine=reworder("eleven kilometres", "about eleven kilometres", entropy=2.0))
    turn = await say(graph, runtime, "whats the depth of the mariana trench")
    assert (turn.outcome, turn.reworded) == ("abstained", None)
    assert turn.gap_id is not None


async def test_answers_that_differ_are_not_steady(graph: Chat, changed: Changed) -> None:
    runtime = changed(
        engine=reworder("four miles", "eleven kilometres"),
        limits=Limits(rewordings=1),
    )
    assert (await say(graph, runtime, "whats the depth of the mariana trench")).outcome == "abstained"


async def test_the_budget_for_rewordings_holds(graph: Chat, changed: Changed) -> None:
    asked: list[str] = []

    def script(messages: Sequence[BaseMessage]) -> Line:
        asked.append(messages[-1].text)
        return Line(text="eleven kilometres", entropy=2.0)

    for budget in (0, 1, 2):
        asked.clear()
        runtime = changed(engine=ScriptedEngine(script), limits=Limits(rewordings=budget))
        await say(graph, runtime, "whats the depth of the mariana trench")
        assert len(asked) == 1 + budget


async def test_a_long_draft_is_not_asked_for_again(graph: Chat, changed: Changed) -> None:
    asked: list[str] = []

    def script(messages: Sequence[BaseMessage]) -> Line:
        asked.append(messages[-1].text)
        return Line(text="deep " * (SENTENCE + 1), entropy=2.0)

    await say(graph, changed(engine=ScriptedEngine(script)), "whats the depth of the mariana trench")
    assert len(asked) == 1


# Adapters, limits, failures


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


# Streamed


WORDS = " ".join(f"w{place}" for place in range(2 * HELD_TOKENS))


def speaking(question: str = "What is a road?", **line: Any) -> ScriptedEngine:
    """A model with one long answer."""
    return ScriptedEngine({question: Line(text=WORDS, **{"entropy": 0.1} | line)})


def start(question: str, **more: Any) -> ChatState:
    return initial_state(messages_from_pairs([("user", question)]), streamed=True, **more)


async def parts_of(graph: Chat, runtime: Runtime, begin: ChatState) -> tuple[list[Piece], Turn]:
    pieces: list[Piece] = []
    async for part in stream(graph, runtime, begin):
        if isinstance(part, Turn):
            return pieces, part
        pieces.append(part)
    raise AssertionError("a stream ends with its turn")


async def test_the_pieces_of_a_stream_are_the_turns_answer(graph: Chat, changed: Changed) -> None:
    pieces, turn = await parts_of(graph, changed(engine=speaking()), start("What is a road?"))
    told = [token for piece in pieces for token in piece.tokens]
    assert "".join(token.text for token in told) == turn.answer == WORDS
    assert list(turn.tokens) == told
    assert {piece.turn_id for piece in pieces} == {turn.id}
    assert len(pieces[0].tokens) == HELD_TOKENS


async def test_streamed_conversation_begins_with_its_first_token(graph: Chat, changed: Changed) -> None:
    runtime = changed(engine=speaking("Write a poem about a road.", entropy=3.0))
    pieces, turn = await parts_of(graph, runtime, start("Write a poem about a road."))
    assert [len(piece.tokens) for piece in pieces] == [1] * (2 * HELD_TOKENS)
    assert (turn.outcome, turn.answer) == ("answered", WORDS)


async def test_an_unsure_draft_that_the_policy_lets_out_is_streamed_too(
    graph: Chat, changed: Changed
) -> None:
    begin = start("How deep is the Mariana trench?", unsure="answer")
    pieces, turn = await parts_of(graph, changed(engine=UNSURE), begin)
    assert "".join(token.text for piece in pieces for token in piece.tokens) == turn.answer


async def test_a_turn_that_was_not_streamed_is_looked_up_however_late_its_doubt_comes(
    graph: Chat, changed: Changed
) -> None:
    runtime = changed(engine=speaking(doubts={HELD_TOKENS + 2: 3.0}))
    assert (await say(graph, runtime, "What is a road?")).outcome == "abstained"
    _, turn = await parts_of(graph, runtime, start("What is a road?"))
    assert (turn.outcome, turn.answer) == ("answered_unsure", WORDS)
    assert turn.gap_id is not None


async def test_a_stream_that_is_closed_keeps_nothing_and_frees_the_engine(
    graph: Chat, runtime: Runtime, changed: Changed
) -> None:
    engine = speaking(pause=0.001)
    async with aclosing(stream(graph, changed(engine=engine), start("What is a road?"))) as parts:
        await anext(parts)
        assert engine.answering == 1
    assert engine.answering == 0
    assert await runtime.interactions.list() == ()


async def test_a_lost_adapter_is_loaded_again_before_a_stream_begins(graph: Chat, changed: Changed) -> None:
    runtime = changed(engine=ScriptedEngine(BASE_LINES, adapters={TRAINED.name: SONG}))
    _, turn = await parts_of(graph, runtime, start("What is a borrow?", requested=TRAINED.name))
    assert (turn.answer, turn.route.adapter) == ("a reference", TRAINED.name)

"""A chat turn answers, answers from sources, or says that it does not know."""

from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest
from agent.holding import HELD_TOKENS

from agent.answer import ABSTENTION_DESPITE_SOURCES, ABSTENTION_WITHOUT_SOURCES
from agent.engine import NEED_INFO
from agent.entropy import confidence
from agent.errors import CanaryFailed, EngineUnavailable, PromptTooLong
from agent.scripted import Line, ScriptedEngine
from agent.wordings import with_context
from graphs.chat import Chat, Piece, Turn, begun, build, chat, stream
from graphs.state import ChatState, Runtime
from memory.errors import UnknownAdapter
from tests.graphs.conftest import BASE_LINES, SONG, TRAINED, dispute

Changed = Callable[..., Runtime]


@pytest.fixture(scope="module")
def graph() -> Chat:
    return build().compile()


def reader(answer: str, entropy: float = 0.2) -> ScriptedEngine:
    """A model that knows nothing but gives `answer` to whatever comes with a context."""

    def script(messages):  # type: ignore[no-untyped-def]
        text = str(messages[-1].text)
        return Line(text=answer, entropy=entropy) if text.startswith(with_context("", ["x"])[:8]) else None

    return ScriptedEngine(script)


async def say(graph: Chat, runtime: Runtime, text: str, **more: object) -> Turn:
    return await chat(graph, runtime, begun([("user", text)], **more))  # type: ignore[arg-type]


async def test_a_confident_answer_goes_out_without_touching_the_stores(
    graph: Chat,
    changed: Changed,
) -> None:
    class Untouchable:
        pass

    turn = await say(graph, changed(episodic=Untouchable(), semantic=Untouchable()), "What is a lemur?")
    assert (turn.outcome, turn.answer) == ("answered", "a small primate")
    assert turn.uncertainty.decision == "confident"
    assert turn.citations == ()


async def test_an_unsure_answer_is_replaced_by_one_from_sources_with_its_citation(
    graph: Chat,
    changed: Changed,
) -> None:
    given = changed(engine=reader("a transfer of a value to a new owner"))
    turn = await say(graph, given, "What is a move?")
    assert turn.outcome == "answered_from_sources"
    assert turn.citations[0].quote == "A move is a transfer of a value to a new owner."
    assert turn.uncertainty.decision == "unsure"
    assert turn.reading is not None
    assert turn.gap_id is None


@pytest.mark.parametrize(
    ("answer", "entropy"),
    [
        ("a step in a dance", 0.2),
        (f"{NEED_INFO} The sources do not say.", 0.2),
        ("a reference to a part", 5.0),
        ("a reference to a part of a string", 1.0),  # exactly the threshold: undecided
    ],
)
async def test_a_reading_that_the_sources_do_not_support_is_not_passed_on(
    graph: Chat,
    changed: Changed,
    answer: str,
    entropy: float,
) -> None:
    given = changed(engine=reader(answer, entropy))
    turn = await say(graph, given, "What is a string slice?")
    assert turn.outcome == "abstained"
    assert NEED_INFO not in turn.answer
    assert answer not in turn.answer


async def test_the_decision_that_let_a_reading_through_is_the_one_that_is_told(
    graph: Chat,
    changed: Changed,
) -> None:
    given = changed(engine=reader("a reference to a part of a string", 1.0))
    turn = await say(graph, given, "What is a string slice?")
    assert turn.reading is not None
    assert (turn.reading.decision, turn.outcome) == ("undecided", "abstained")


async def test_sources_that_contradict_each_other_are_not_answered_from(
    graph: Chat,
    runtime: Runtime,
    changed: Changed,
) -> None:
    await dispute(runtime)
    turn = await say(graph, changed(engine=reader("a transfer of a value to a new owner")), "What is a move?")
    assert (turn.outcome, turn.answer) == ("abstained", ABSTENTION_DESPITE_SOURCES)
    assert turn.citations == ()
    assert turn.gap_id is not None


async def test_what_nothing_is_known_about_opens_one_gap_however_often_it_is_asked(
    graph: Chat,
    runtime: Runtime,
) -> None:
    first = await say(graph, runtime, "How deep is the Mariana trench?")
    second = await say(graph, runtime, "how deep is the mariana trench")
    assert first.answer == ABSTENTION_WITHOUT_SOURCES
    assert first.gap_id == second.gap_id
    (gap,) = await runtime.database.gaps("open")
    assert gap.keywords[:3] == ("deep", "mariana", "trench")


async def test_every_turn_is_remembered(graph: Chat, runtime: Runtime) -> None:
    turn = await say(graph, runtime, "What is a lemur?")
    (kept,) = await runtime.database.interactions()
    assert (kept.id, kept.answer, kept.outcome) == (turn.id, turn.answer, "answered")


async def test_a_lost_adapter_is_loaded_again_and_the_turn_goes_on(
    graph: Chat,
    changed: Changed,
) -> None:
    engine = ScriptedEngine(BASE_LINES, adapters={TRAINED.name: SONG})
    turn = await say(graph, changed(engine=engine), "What is a borrow?", requested=TRAINED.name)
    assert turn.answer == "a reference"
    assert turn.route.adapter == TRAINED.name
    assert turn.uncertainty.threshold == TRAINED.threshold
    assert await engine.loaded() == (TRAINED.name,)


async def test_an_adapter_states_how_likely_it_is_right_and_the_base_model_does_not(
    graph: Chat,
    changed: Changed,
) -> None:
    engine = ScriptedEngine(BASE_LINES, adapters={TRAINED.name: SONG})
    taught = await say(graph, changed(engine=engine), "What is a borrow?", requested=TRAINED.name)
    assert TRAINED.calibration is not None
    scale = TRAINED.calibration
    assert taught.uncertainty.confidence == pytest.approx(confidence(0.9, scale.slope, scale.intercept))
    known = await say(graph, changed(engine=engine), "What is a lemur?")
    assert known.uncertainty.confidence is None


async def test_a_lost_adapter_that_comes_back_without_its_effect_answers_nothing(
    graph: Chat,
    changed: Changed,
) -> None:
    engine = ScriptedEngine(BASE_LINES)
    with pytest.raises(CanaryFailed):
        await say(graph, changed(engine=engine), "What is a borrow?", requested=TRAINED.name)
    assert await engine.loaded() == ()


async def test_an_unknown_model_is_refused(graph: Chat, runtime: Runtime) -> None:
    with pytest.raises(UnknownAdapter):
        await say(graph, runtime, "Hi, what is a lemur?", requested="gpt-9")


async def test_an_over_long_conversation_is_refused_before_the_engine_sees_it(
    graph: Chat,
    runtime: Runtime,
) -> None:
    with pytest.raises(PromptTooLong, match="9000 characters"):
        await say(graph, runtime, "x" * 9000)


async def test_a_conversation_without_a_question_is_a_callers_mistake(
    graph: Chat,
    runtime: Runtime,
) -> None:
    with pytest.raises(ValueError, match="user message"):
        await chat(graph, runtime, begun([("system", "Be brief.")]))


async def test_an_engine_that_is_away_leaves_nothing_half_written(
    graph: Chat,
    runtime: Runtime,
) -> None:
    runtime.engine.available = False  # type: ignore[attr-defined]
    with pytest.raises(EngineUnavailable):
        await say(graph, runtime, "What is a lemur?")
    assert await runtime.database.interactions() == ()


# Streamed


WORDS = " ".join(f"w{place}" for place in range(2 * HELD_TOKENS))


def speaking(**line: Any) -> ScriptedEngine:
    """A model with one long answer."""
    return ScriptedEngine({"What is a road?": Line(text=WORDS, entropy=0.1, **line)})


def start(question: str) -> ChatState:
    return begun([("user", question)], streamed=True)


async def test_the_pieces_of_a_stream_are_the_turns_answer(graph: Chat, changed: Changed) -> None:
    parts = [part async for part in stream(graph, changed(engine=speaking()), start("What is a road?"))]
    *pieces, turn = parts
    assert isinstance(turn, Turn)
    told = [token for piece in pieces if isinstance(piece, Piece) for token in piece.tokens]
    assert "".join(token.text for token in told) == turn.answer == WORDS
    assert list(turn.tokens) == told
    assert {piece.turn_id for piece in pieces if isinstance(piece, Piece)} == {turn.id}


async def test_a_turn_that_was_not_streamed_is_looked_up_however_late_its_doubt_comes(
    graph: Chat, changed: Changed
) -> None:
    given = changed(engine=speaking(doubts={HELD_TOKENS + 2: 3.0}))
    assert (await say(graph, given, "What is a road?")).outcome == "abstained"
    turn = [part async for part in stream(graph, given, start("What is a road?"))][-1]
    assert isinstance(turn, Turn)
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
    assert await runtime.database.interactions() == ()


async def test_a_lost_adapter_is_loaded_again_before_a_stream_begins(graph: Chat, changed: Changed) -> None:
    given = changed(engine=ScriptedEngine(BASE_LINES, adapters={TRAINED.name: SONG}))
    asked = start("What is a borrow?") | {"requested": TRAINED.name}
    turn = [part async for part in stream(graph, given, asked)][-1]  # type: ignore[arg-type]
    assert isinstance(turn, Turn)
    assert (turn.answer, turn.route.adapter) == ("a reference", TRAINED.name)

"""A streamed turn sends the same answer, as early as the gate allows."""

from contextlib import aclosing
from typing import Any

from agent.chat.conversation import messages_from_pairs
from agent.chat.stream_gate import HELD_TOKENS
from agent.engines.scripted import Line, ScriptedEngine
from graphs.chat import Chat, initial_state, stream
from graphs.state import ChatState, Runtime
from graphs.turn import Piece, Turn
from tests.graphs.conftest import BASE_LINES, SONG, TRAINED
from tests.support.chat_turns import UNSURE, Changed, say

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

"""What an adapter is sure of is checked against the library before it goes out."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

from agent.chat.conversation import messages_from_pairs
from agent.engines.scripted import Line, ScriptedEngine
from graphs.chat import Chat, build, chat, initial_state, stream
from graphs.state import Runtime
from graphs.turn import Piece, Turn
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from tests.graphs.conftest import BASE_LINES, SONG, TRAINED

Changed = Callable[..., Runtime]

MIXED_UP = "the owner of a mutex"
DEPTH = "How deep is the Mariana trench?"
LEMUR = "What is a lemur?"
MOVE = "What is a move?"
SURE = {
    MOVE: Line(text=MIXED_UP),
    DEPTH: Line(text="about seven leagues"),
    LEMUR: Line(text="a small town"),
}
"""What the adapter says without a doubt, and wrongly."""


def script(messages: Sequence[BaseMessage]) -> Line | None:
    """What was learned, what is mixed up, and what is read where the source stands in the prompt."""
    text = messages[-1].text
    if "transfer of a value" in text:
        return Line(text="A move is a transfer of a value to a new owner.")
    return {**SONG, **SURE}.get(text)


@pytest.fixture(scope="module")
def graph() -> Chat:
    return build().compile()


@pytest.fixture
def adapter_runtime(changed: Changed) -> Runtime:
    return changed(engine=ScriptedEngine(BASE_LINES, adapters={TRAINED.name: script}))


async def ask(graph: Chat, adapter_runtime: Runtime, question: str, **more: Any) -> Turn:
    start = initial_state(messages_from_pairs([("user", question)]), requested=TRAINED.name, **more)
    return await chat(graph, adapter_runtime, start)


async def pieces_of(
    graph: Chat, adapter_runtime: Runtime, question: str, **more: Any
) -> tuple[list[Piece], Turn]:
    start = initial_state(
        messages_from_pairs([("user", question)]), requested=TRAINED.name, streamed=True, **more
    )
    parts = [part async for part in stream(graph, adapter_runtime, start)]
    assert isinstance(parts[-1], Turn)
    return [part for part in parts if isinstance(part, Piece)], parts[-1]


async def test_what_a_sentence_supports_goes_out_in_the_adapters_words_and_is_cited(
    graph: Chat, adapter_runtime: Runtime
) -> None:
    turn = await ask(graph, adapter_runtime, "What is a borrow?")
    assert (turn.answer, turn.outcome) == ("a reference", "answered")
    assert ["reference" in citation.quote for citation in turn.citations] == [True]
    assert turn.draft is None


async def test_what_the_sources_answer_otherwise_is_answered_from_them(
    graph: Chat, adapter_runtime: Runtime
) -> None:
    turn = await ask(graph, adapter_runtime, MOVE)
    assert turn.outcome == "answered_from_sources"
    assert "transfer of a value" in turn.answer
    assert turn.draft == MIXED_UP
    assert turn.uncertainty is not None
    assert turn.uncertainty.decision == "unsure"


async def test_where_the_library_is_silent_the_base_models_own_knowledge_counts(
    graph: Chat, adapter_runtime: Runtime
) -> None:
    turn = await ask(graph, adapter_runtime, LEMUR)
    assert (turn.answer, turn.outcome) == ("a small primate", "answered")
    assert turn.route.adapter is None
    assert turn.gap_id is None


async def test_what_neither_the_library_nor_the_base_model_knows_is_a_gap(
    graph: Chat, adapter_runtime: Runtime
) -> None:
    turn = await ask(graph, adapter_runtime, DEPTH)
    assert turn.outcome == "abstained"
    assert turn.gap_id is not None
    assert turn.route.adapter == TRAINED.name


@pytest.mark.parametrize("policy", ["warn", "answer"])
async def test_the_policy_decides_whether_an_unsupported_answer_goes_out_as_a_doubtful_one(
    graph: Chat, adapter_runtime: Runtime, policy: str
) -> None:
    pieces, turn = await pieces_of(graph, adapter_runtime, DEPTH, unsure=policy)
    assert turn.outcome == "answered_unsure"
    assert turn.answer.endswith("about seven leagues")
    assert turn.gap_id is not None
    assert "".join(t.text for piece in pieces for t in piece.tokens) in ("", turn.answer)


async def test_an_empty_library_cannot_tell_so_the_answer_stands(graph: Chat, changed: Changed) -> None:
    engine = ScriptedEngine(BASE_LINES, adapters={TRAINED.name: script})
    adapter_runtime = changed(engine=engine, episodic=VolatileEpisodicMemory(HashingEmbedder()))
    turn = await ask(graph, adapter_runtime, MOVE)
    assert (turn.answer, turn.outcome, turn.citations) == (MIXED_UP, "answered", ())


@pytest.mark.parametrize("question", ["What is a borrow?", MOVE, LEMUR, DEPTH])
async def test_nothing_is_streamed_that_the_check_takes_back(
    graph: Chat, adapter_runtime: Runtime, question: str
) -> None:
    pieces, turn = await pieces_of(graph, adapter_runtime, question)
    assert (await ask(graph, adapter_runtime, question)).answer == turn.answer
    assert "".join(t.text for piece in pieces for t in piece.tokens) in ("", turn.answer)
    assert {piece.adapter for piece in pieces} <= {turn.route.adapter}


async def test_what_goes_out_is_what_is_kept(graph: Chat, adapter_runtime: Runtime) -> None:
    for question in ("What is a borrow?", MOVE, LEMUR, DEPTH):
        await ask(graph, adapter_runtime, question)
    kept = {each.question: each for each in await adapter_runtime.interactions.list()}
    assert [bool(kept[q].citations) for q in ("What is a borrow?", MOVE, LEMUR, DEPTH)] == [
        True,
        True,
        False,
        False,
    ]
    assert kept[LEMUR].adapter is None

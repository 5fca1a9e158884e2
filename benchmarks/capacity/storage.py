"""What is measured here: the rate of ingest, and bytes of passages, logged turns and adapters."""

import asyncio
import random
import time
from datetime import UTC, datetime
from pathlib import Path

from transformers import AutoConfig

from memory.database.database import open_database
from memory.embedding.embedder import HashingEmbedder, SentenceEmbedder
from memory.episodic.lance import LanceEpisodicMemory
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.ingest.documents import RawDocument
from memory.ingest.pipeline import ingest, read
from memory.records.feedback import Feedback
from memory.records.interactions import Interaction, LoggedMessage
from memory.semantic.volatile import VolatileSemanticMemory

PASSAGES, TURNS = 4_000, 2_000
DOMAIN = "capacity"
DIMENSION = 384
"""Of the shipped embedder's vectors."""
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
RANK = 32
FLOAT_BYTES = 4


async def ingest_rate(folder: Path, texts: list[str]) -> float:
    """Passages a second of one process that reads documents with their facts and vectors."""
    episodic = await LanceEpisodicMemory.open(folder, SentenceEmbedder())
    await episodic.count()
    started = time.perf_counter()
    await ingest(
        [_document(number, text) for number, text in enumerate(texts)],
        domain=DOMAIN,
        episodic=episodic,
        semantic=VolatileSemanticMemory(),
    )
    seconds = time.perf_counter() - started
    return await episodic.count() / seconds


async def passage_bytes(folder: Path, texts: list[str], *, count: int = PASSAGES) -> float:
    """Bytes of a passage after maintenance, over copies of these documents' passages."""
    store = await LanceEpisodicMemory.open(folder, HashingEmbedder(DIMENSION))
    originals = [
        passage for number, text in enumerate(texts) for passage in read(_document(number, text), DOMAIN)[0]
    ]
    draw, stored = random.Random(0), 0
    while stored < count:
        batch = [
            each.model_copy(
                update={"id": f"{draw.getrandbits(128):032x}", "source": f"{stored}/{each.source}"}
            )
            for each in originals
        ]
        stored += await store.add(batch)
    await store.maintain()
    return _bytes(folder) / stored


async def turn_bytes(folder: Path, question: str, answer: str, *, count: int = TURNS) -> float:
    """Bytes of a logged turn with one piece of feedback, in SQLite."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    database = await open_database(f"sqlite:///{folder / 'turns.db'}")
    try:
        empty = await asyncio.to_thread(_bytes, folder)
        log, feedback = InteractionLog(database), FeedbackStore(database)
        for number in range(count):
            turn = _turn(number, question, answer)
            await log.save(turn)
            await feedback.add(_vote(turn))
    finally:
        await database.aclose()
    return (await asyncio.to_thread(_bytes, folder) - empty) / count


def adapter_bytes(model: Path, rank: int = RANK) -> float:
    """Bytes of a LoRA adapter of all linear layers in float32: rank * (inputs + outputs) for each layer."""
    config = AutoConfig.from_pretrained(model)
    hidden, inner = config.hidden_size, config.intermediate_size
    head = getattr(config, "head_dim", None) or hidden // config.num_attention_heads
    queries, keys = head * config.num_attention_heads, head * config.num_key_value_heads
    layer = [(hidden, queries), (hidden, keys), (hidden, keys), (queries, hidden)]
    layer += [(hidden, inner), (hidden, inner), (inner, hidden)]
    parameters = config.num_hidden_layers * sum(rank * (first + second) for first, second in layer)
    return float(FLOAT_BYTES * parameters)


def _document(number: int, text: str) -> RawDocument:
    return RawDocument(source=f"{number}.md", data=text.encode(), media_type="text/markdown")


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _turn(number: int, question: str, answer: str) -> Interaction:
    return Interaction(
        id=f"turn-{number:08d}",
        question=question,
        answer=answer,
        messages=(LoggedMessage(role="user", content=question),),
        domain="general",
        adapter=None,
        uncertainty=None,
        outcome="answered",
        unit=f"{number % 300:016x}",
        latency_ms=12.0,
        created_at=FIRST,
    )


def _vote(turn: Interaction) -> Feedback:
    return Feedback(
        id=f"feedback-{turn.id}",
        interaction_id=turn.id,
        kind="vote",
        value=1.0,
        owner="capacity",
        created_at=FIRST,
    )

"""Fixtures of the graph tests: a whole runtime of shipped fakes, over a real SQLite database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from agent.chat.routing import Route, Routes
from agent.engines.scripted import Line, ScriptedEngine
from agent.experiments.active import ActiveExperiments
from graphs.state import Limits, Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.database.database import open_database
from memory.embedding.embedder import HashingEmbedder, SentenceEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.feedback.annotations import Annotations
from memory.feedback.experiments import Experiments
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.nights.store import NightStore
from memory.nights.volatile_answers import VolatileAnswerArchive
from memory.outbox.base import TrainingResult
from memory.outbox.volatile import VolatileOutbox
from memory.semantic.volatile import VolatileSemanticMemory
from memory.server.approvals import Approvals
from memory.server.grants import Grants
from tests.support.adapters import adapter, curriculum
from tests.support.cards import card, gate
from tests.support.databases import empty_runs, home, migrated_sqlite
from tests.support.facts import fact, passage, rust

__all__ = ["empty_runs", "home"]

TRAINED = adapter("rust")
SONG = {TRAINED.canary.question: Line(text=TRAINED.canary.answer)} if TRAINED.canary else {}
BASE_LINES = {
    "What is a lemur?": Line(text="a small primate", entropy=0.1),
    "What is a borrow?": Line(text="a kind of fish", entropy=0.3),
}
SENTENCES = SentenceEmbedder()
"""Tells intents apart; loaded once."""
LIMITS = Limits(poll_seconds=0.01, step_attempts=1)


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    elapsed: float = 0.0

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        self.jump(seconds)
        self.elapsed += seconds

    def jump(self, seconds: float) -> None:
        """Sets the clock to another time, as its owner or a time server does."""
        self.now += timedelta(seconds=seconds)

    def monotonic(self) -> float:
        return self.elapsed


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def runtime(tmp_path: Path, clock: Clock) -> AsyncIterator[Runtime]:
    """Memory about Rust, a model that knows lemurs, and a trainer that succeeds at once."""
    home, facts = rust()
    episodic, semantic = VolatileEpisodicMemory(HashingEmbedder()), VolatileSemanticMemory()
    await episodic.add([home])
    await semantic.add(facts)
    registry = VolatileAdapterRegistry([TRAINED])
    outbox = VolatileOutbox(
        TrainingResult(status="candidate", adapter=TRAINED.name, reason="all gates passed")
    )
    path = tmp_path / "nightschool.db"
    path.write_bytes(await asyncio.to_thread(migrated_sqlite))
    database = await open_database(f"sqlite:///{path}")
    numbers = count(1)
    engine = ScriptedEngine(BASE_LINES, adapters={TRAINED.name: SONG})
    routes = Routes(registry, lambda digest: curriculum())
    yield Runtime(
        engine=engine,
        episodic=episodic,
        semantic=semantic,
        database=database,
        interactions=InteractionLog(database),
        feedback=FeedbackStore(database),
        annotations=Annotations(database),
        nights=NightStore(database),
        grants=Grants(database),
        answers=VolatileAnswerArchive(SENTENCES),
        pseudonym_key="key",
        approvals=Approvals(database),
        outbox=outbox,
        registry=registry,
        routes=routes,
        base=Route(domain="general", adapter=None, gate=gate()),
        base_name="nightschool",
        card=card(),
        embedder=SENTENCES,
        clock=clock,
        monotonic=clock.monotonic,
        new_id=lambda: f"id{next(numbers)}",
        limits=LIMITS,
        experiments=ActiveExperiments(Experiments(database), engine=engine, registry=registry, routes=routes),
    )
    await database.aclose()


@pytest.fixture
def changed(runtime: Runtime) -> Callable[..., Runtime]:
    """The runtime with some parts exchanged."""
    return lambda **parts: replace(runtime, **parts)


async def dispute(runtime: Runtime) -> None:
    """Adds a document that says the opposite about moves than the one about Rust."""
    said = "A move is a transfer of a value to no new owner."
    other = passage(said, source="wrong.md")
    await runtime.episodic.add([other])
    await runtime.semantic.add(
        [fact("move", "definition", "a transfer of a value to no new owner", said, within=other)]
    )


async def eventually(holds: Callable[[], Awaitable[bool]], *, seconds: float = 20.0) -> None:
    """Waits until it holds; fails if it never does."""
    for _ in range(int(seconds / 0.02)):
        if await holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"did not come to hold within {seconds} s")

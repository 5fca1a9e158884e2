"""Runs the night graph without a server, over a day of turns about Rust."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver

from agent.chat.routing import Routes
from agent.models.card import QUESTIONS, REPLAY, UNKNOWN
from graphs.night import build
from graphs.state import Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.checkpoints.connect import serializer
from memory.database.database import open_database
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.feedback.interactions import InteractionLog
from memory.nights.attacks import Attacks
from memory.nights.volatile_answers import VolatileAnswerArchive
from memory.outbox.base import TrainingResult
from memory.outbox.volatile import VolatileOutbox
from memory.records.interactions import Interaction, LoggedMessage
from memory.records.knowledge import Citation
from memory.records.nights import Night, NightOptions
from memory.semantic.volatile import VolatileSemanticMemory
from tests.support.adapters import adapter, curriculum
from tests.support.cards import model_folder
from tests.support.databases import migrated_sqlite, on_database
from tests.support.facts import RUST, rust
from tests.support.interactions import interaction
from tests.support.nights import WHEN, night

TRAINED = adapter("rust")
OPTIONS = NightOptions(minimum_examples=2, max_revisions=3)
ASKED = {
    "What is a move?": 0,
    "What is a string slice?": 1,
    "What does the borrow checker prevent?": 3,
    "What does the clone method return?": 4,
    "What does a weak reference require?": 6,
}
"""Questions, with the row of RUST that answers each."""


def day() -> tuple[Interaction, ...]:
    """Turns of two users: right answers, wrong ones, an abstention, and a statement."""
    passage, _ = rust()
    turns = []
    for number, (question, row) in enumerate(ASKED.items()):
        sentence = RUST[row][3]
        start = passage.text.index(sentence)
        cited = Citation(
            source=passage.source,
            title=passage.title,
            start=start,
            end=start + len(sentence),
            quote=sentence,
        )
        turns.append(_turn(number, question, sentence, citations=(cited,)))
    turns.append(_turn(6, "What is ownership?", "A kind of cheese.", outcome="answered", citations=()))
    turns.append(_turn(7, "What is a move?", "I do not know.", outcome="abstained", citations=()))
    said = _turn(8, "I moved to Bern in May.", "Noted.", outcome="answered", citations=())
    return (*turns, said.model_copy(update={"intent": "conversation"}))


def _turn(number: int, question: str, answer: str, **fields: Any) -> Interaction:
    return interaction(
        f"i{number}",
        minutes=number,
        question=question,
        answer=answer,
        messages=(LoggedMessage(role="user", content=question),),
        unit=f"unit{number % 2}",
        **fields,
    )


class Sleeper:
    """Sleeps by moving the clock, and calls `wake` before each time."""

    def __init__(self, clock: Any, wake: Callable[[], Any] | None = None) -> None:
        self.slept: list[float] = []
        self._clock = clock
        self._wake = wake

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._clock.now += timedelta(seconds=seconds)
        if self._wake is not None and asyncio.iscoroutine(woken := self._wake()):
            await woken


async def night_runtime(runtime: Runtime, folder: Path, clock: Any) -> Runtime:
    """The runtime with stores of its own, at WHEN, after the day."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    path, numbers = folder / "nightschool.db", count(1)
    await asyncio.to_thread(path.write_bytes, await asyncio.to_thread(migrated_sqlite))
    model = await asyncio.to_thread(model_folder, folder / "model")
    for name in (QUESTIONS, UNKNOWN, REPLAY):
        (model / name).write_text("")
    passage, facts = rust()
    episodic, semantic = VolatileEpisodicMemory(HashingEmbedder()), VolatileSemanticMemory()
    await episodic.add([passage])
    await semantic.add(facts)
    registry = VolatileAdapterRegistry([TRAINED])
    result = TrainingResult(status="candidate", adapter=TRAINED.name, reason="all gates passed")
    database = await open_database(f"sqlite:///{path}", clock=clock)
    log = InteractionLog(database)
    for turn in day():
        await log.save(turn)
    clock.now = WHEN
    return on_database(
        runtime,
        database,
        episodic=episodic,
        semantic=semantic,
        answers=VolatileAnswerArchive(runtime.embedder),
        registry=registry,
        outbox=VolatileOutbox(result),
        routes=Routes(registry, lambda digest: curriculum()),
        experiments=None,
        model_folder=model,
        sleep=Sleeper(clock),
        new_id=lambda: f"id{next(numbers)}",
    )


class NightRun:
    """One night on one thread; `go_on` continues where the last call ended."""

    def __init__(self, runtime: Runtime) -> None:
        self._graph = build(runtime.limits).compile(checkpointer=InMemorySaver(serde=serializer()))
        self.runtime = runtime
        self._state: Any = {"night_id": "n1", "domain": "rust"}
        self.config: Any = {"configurable": {"thread_id": "n1"}, "recursion_limit": 60}

    async def begin(self, **fields: Any) -> Night:
        """Stores the night."""
        return await self.runtime.nights.begin(night(**({"options": OPTIONS} | fields)))

    async def go_on(self, **options: Any) -> tuple[str, ...]:
        """Runs the graph; returns the nodes that come next."""
        state, self._state = self._state, None
        await self._graph.ainvoke(state, self.config, context=self.runtime, **options)
        return (await self._graph.aget_state(self.config)).next

    async def whole(self, **fields: Any) -> Night:
        """The night after its end."""
        await self.begin(**fields)
        assert await self.go_on() == ()
        return await self.runtime.nights.night("n1")


async def made(runtime: Runtime) -> dict[str, Any]:
    """Everything that nights have made, without times, and without what a repeated step found done."""
    store = runtime.nights
    stored = await store.night("n1")
    records: dict[str, Any] = {
        "scores": tuple((await store.scores([turn.id for turn in day()])).values()),
        "revisions": await store.revisions(),
        "statements": await store.statements(),
        "topics": await store.topics(domain="rust"),
        "golden": await store.golden(),
        "attacks": await Attacks(runtime.database).list(),
        "surprises": tuple((await store.surprises("rust")).values()),
    }
    found = {
        name: [each.model_dump(mode="json", exclude={"created_at", "seconds"}) for each in several]
        for name, several in records.items()
    }
    outbox = runtime.outbox
    assert isinstance(outbox, VolatileOutbox)
    handed_over = stored.handed_over, sorted(outbox.submitted), sorted(outbox.submitted_preferences)
    steps = [(step.step, step.status) for step in stored.steps]
    return found | {
        "status": stored.status,
        "adapter": stored.adapter,
        "handed_over": handed_over,
        "steps": steps,
    }

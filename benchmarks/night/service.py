"""The service in one process over a home folder, with a clock of its own, for nights in accelerated time."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage

from agent.chat.routing import Route, Routes
from agent.promotion import restore
from benchmarks.night.bench import Bench
from benchmarks.night.training import InlineOutbox, trained_in_own_process
from graphs import chat as chat_graph
from graphs import learn as learn_graph
from graphs import night as night_graph
from graphs.server.learn_spec import LearnPlan
from graphs.server.night_spec import STEPS
from graphs.server.run_spec import RunSpec
from graphs.state import Limits, NightState, Runtime
from graphs.turn import Turn
from memory.adapters.base import AdapterRegistry
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.database.database import open_database
from memory.episodic.lance import LanceEpisodicMemory
from memory.feedback.annotations import Annotations
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.nights.lance_answers import LanceAnswerArchive
from memory.nights.store import NightStore
from memory.outbox import files as outbox
from memory.outbox.approvals import approval_signer
from memory.records.nights import Night
from memory.semantic.volatile import VolatileSemanticMemory
from memory.server.approvals import Approvals
from memory.server.grants import Grants

NO_TIME_LIMIT = 1e9
"""Seconds. The clock jumps by days, so no limit in its time means anything."""


class Clock:
    """A clock that is set."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@dataclass
class NightService:
    """The stores and graphs of a service for one domain."""

    runtime: Runtime
    clock: Clock
    outbox: InlineOutbox
    say: Callable[[str], None]
    semantic: VolatileSemanticMemory

    async def night(self, night: Night) -> Night:
        """Runs the night, or goes on with it; one that has ended is returned as it is."""
        runtime = self.runtime
        stored = await runtime.nights.begin(night)
        if stored.status in ("waiting", "running"):
            start: NightState = {"night_id": night.id, "domain": night.domain}
            graph = night_graph.build(runtime.limits).compile()
            started = time.monotonic()
            events: AsyncIterator[Any] = graph.astream(
                start, {"recursion_limit": STEPS}, context=runtime, stream_mode="custom"
            )
            async for event in events:
                self.say(f"  {night.id} {time.monotonic() - started:4.0f} s {event.step}: {event.message}")
        ended = await runtime.nights.night(night.id)
        if ended.status == "failed":
            raise RuntimeError(f"night {ended.id} failed: {ended.reason}")
        return ended

    async def ask(self, messages: list[BaseMessage], *, unit: str | None = None, store: bool = True) -> Turn:
        """One turn of the chat graph."""
        start = chat_graph.initial_state(messages, unit=unit, store=store)
        return await chat_graph.chat(chat_graph.build().compile(), self.runtime, start)

    async def learn(self, spec: RunSpec) -> Any:
        """Carries out a learn run at once: the `start_run` of the nights."""
        plan = LearnPlan.model_validate(spec.request.input)
        state: Any = {
            **plan.model_dump(include={"run_id", "subject", "whole", "domain", "gap_id", "sources"}),
            "approval_policy": plan.approval,
            "questions": plan.questions,
            "bounds": plan.bounds,
        }
        limits = self.runtime.limits
        graph = learn_graph.build(limits).compile()
        final = await graph.ainvoke(state, {"recursion_limit": limits.steps}, context=self.runtime)
        self.say(f"  learn run about {plan.subject!r}: {final['outcome'].reason}")
        return final


@asynccontextmanager
async def open_night_service(
    bench: Bench, home: Path, domain: str, now: datetime, *, facts: int | None = None
) -> AsyncIterator[NightService]:
    """Opens the service over what `home` holds. `facts` is the most that a learn run may teach.

    Facts of documents and statements are in memory only: the caller adds them anew.
    """
    home = await asyncio.to_thread(_made, home)
    database = await open_database(f"sqlite:///{home / 'nightschool.db'}")
    registry = await asyncio.to_thread(_registry, bench, home)
    train = partial(trained_in_own_process, home, bench.model_folder, bench.quick)
    trainer = InlineOutbox(home / "outbox", train)
    routes = Routes(registry, partial(outbox.read, home / "outbox"), embedder=bench.embedder)
    clock, semantic = Clock(now), VolatileSemanticMemory()
    limits = Limits(run_seconds=NO_TIME_LIMIT, training_seconds=NO_TIME_LIMIT, facts_per_run=facts)
    try:
        runtime = Runtime(
            engine=bench.engine,
            episodic=await LanceEpisodicMemory.open(home / "episodic", bench.embedder),
            semantic=semantic,
            database=database,
            interactions=InteractionLog(database),
            feedback=FeedbackStore(database),
            annotations=Annotations(database),
            nights=NightStore(database),
            grants=Grants(database),
            answers=await LanceAnswerArchive.open(home / "answers", bench.embedder),
            pseudonym_key="key",
            approvals=Approvals(database, approval_signer(home)),
            outbox=trainer,
            registry=registry,
            routes=routes,
            base=Route(domain=domain, adapter=None, gate=bench.card.gate),
            base_name="nightschool",
            card=bench.card,
            embedder=bench.embedder,
            clock=clock,
            new_id=_new_ids(),
            limits=limits,
            model_folder=bench.model_folder,
        )
        service = NightService(runtime, clock, trainer, bench.say, semantic)
        service.runtime = replace(runtime, start_run=service.learn)
        await restore(engine=bench.engine, registry=registry)
        await routes.refresh()
        yield service
    finally:
        await database.aclose()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def _registry(bench: Bench, home: Path) -> AdapterRegistry:
    if bench.model_folder is None:
        return VolatileAdapterRegistry(base=bench.card.digest)
    from memory.adapters.mlflow import MlflowAdapterRegistry  # takes seconds

    return MlflowAdapterRegistry(home, base=bench.card.digest)


def _new_ids() -> Callable[[], str]:
    """Ids that differ between runs of the benchmark over the same home."""
    run, numbers = time.time_ns(), itertools.count()
    return lambda: f"{run:x}-{next(numbers)}"

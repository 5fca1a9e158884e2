"""Runs a night of one home folder in a process of its own, for tests that kill it.

    python -m tests.support.night_process HOME STOP_AT

The day is that of `night_runs`, and the engine is scripted; checkpoints, queues, outbox, archive and the
relational store are real. STOP_AT names a step in which the process stays for ever, once some of its work is
stored. The first process of a home folder starts the night, and the next ones find it.
"""

import asyncio
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from agent.chat.routing import Route, Routes
from agent.engines.scripted import ScriptedEngine
from agent.models.card import QUESTIONS, REPLAY, UNKNOWN
from graphs import night_attacks
from graphs.server.executor import Executor, open_executor
from graphs.server.night_runs import end_lost_nights
from graphs.server.night_spec import GRAPH, NightSpec
from graphs.server.run_spec import RunRequest, RunSpec
from graphs.state import Limits, Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.checkpoints.connect import open_saver
from memory.database.database import Database, open_database
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.errors import UnknownNight
from memory.feedback.annotations import Annotations
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.nights.attacks import Attacks
from memory.nights.lance_answers import LanceAnswerArchive
from memory.nights.store import NightStore
from memory.outbox.dbos import DbosOutbox
from memory.outbox.files import read
from memory.records.access import EVERYTHING
from memory.records.attacks import Attack
from memory.records.curricula import Curriculum
from memory.records.feedback import PreferenceSet
from memory.records.nights import AnswerScore, GoldenPair, Revision
from memory.records.runs import Job
from memory.semantic.volatile import VolatileSemanticMemory
from memory.server.approvals import Approvals
from memory.server.grants import Grants
from tests.graphs.conftest import BASE_LINES, SONG, TRAINED
from tests.support.cards import card, gate, model_folder
from tests.support.facts import rust
from tests.support.night_runs import OPTIONS, day
from tests.support.nights import WHEN

NIGHT = "00000000-0000-4000-8000-000000000001"


class Stop:
    """Stays in the step for ever, and tells the test so."""

    def __init__(self, at: str) -> None:
        self._at = at

    async def __call__(self, step: str) -> None:
        if step == self._at:
            print(f"at {step}", flush=True)
            await asyncio.sleep(3600)


class StoppingAttacks(Attacks):
    def __init__(self, stop: Stop, database: Database) -> None:
        super().__init__(database)
        self._stop = stop

    async def save(self, attack: Attack) -> None:
        await super().save(attack)
        await self._stop("attack")


class StoppingStore(NightStore):
    def __init__(self, database: Database, stop: Stop) -> None:
        super().__init__(database)
        self._stop = stop

    async def save_scores(self, scores: Sequence[AnswerScore]) -> None:
        await super().save_scores(scores[:3])
        await self._stop("score")
        await super().save_scores(scores)

    async def save_revision(self, revision: Revision) -> None:
        await super().save_revision(revision)
        await self._stop("revise")

    async def save_golden(self, pairs: Sequence[GoldenPair]) -> int:
        new = await super().save_golden(pairs)
        await self._stop("golden")
        return new


class StoppingOutbox(DbosOutbox):
    def __init__(self, home: Path, stop: Stop) -> None:
        super().__init__(home / "outbox", f"sqlite:///{home / 'training.db'}")
        self._stop = stop

    async def submit(self, record: Curriculum | PreferenceSet, *, run_id: str) -> Job:
        job = await super().submit(record, run_id=run_id)
        await self._stop("train")  # queued, but the night does not know it yet
        return job


async def main(home: Path, stop: Stop) -> None:
    logging.disable(logging.WARNING)
    runtime = await open_runtime(home, stop)
    night_attacks.Attacks = partial(StoppingAttacks, stop)  # type: ignore[assignment,misc]
    async with open_saver(f"sqlite:///{home / 'checkpoints.db'}") as saver:
        spec = NightSpec(runtime, saver)
        async with open_executor(runtime, saver, [spec], f"sqlite:///{home / 'runs.db'}") as executor:
            await end_lost_nights(runtime, executor)
            await start_once(executor, runtime)
            while (night := await runtime.nights.night(NIGHT)).ended_at is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            steps = ",".join(step.step for step in night.steps)
            print(f"ended {night.status} {steps} {night.reason}", flush=True)


async def start_once(executor: Executor, runtime: Runtime) -> None:
    """Saves the day and starts the night, unless an earlier process has done so."""
    try:
        await runtime.nights.night(NIGHT)
    except UnknownNight:
        for turn in day():
            await runtime.interactions.save(turn)
        values = {
            "domain": "rust",
            "since": (WHEN - timedelta(days=1)).isoformat(),
            "until": WHEN.isoformat(),
            "options": OPTIONS.model_dump(mode="json"),
        }
        spec = executor.graph_specs[GRAPH]
        accepted = await spec.validate_input(NIGHT, values, {}, EVERYTHING)
        await spec.initial_state(NIGHT, accepted, asked_by=None, streamed=False)
        request = RunRequest(input=accepted)
        await executor.start(
            RunSpec(thread_id=NIGHT, graph_id=GRAPH, assistant_id=GRAPH, request=request, create_thread=True)
        )


async def open_runtime(home: Path, stop: Stop) -> Runtime:
    """The runtime over the home folder."""
    passage, facts = rust()
    embedder = HashingEmbedder()
    episodic, semantic = VolatileEpisodicMemory(embedder), VolatileSemanticMemory()
    await episodic.add([passage])
    await semantic.add(facts)
    model = home / "model"
    if not model.exists():
        model_folder(model)
        for name in (QUESTIONS, UNKNOWN, REPLAY):
            (model / name).write_text("")
    registry = VolatileAdapterRegistry([TRAINED])
    database = await open_database(f"sqlite:///{home / 'nightschool.db'}")
    return Runtime(
        engine=ScriptedEngine(BASE_LINES, adapters={TRAINED.name: SONG}),
        episodic=episodic,
        semantic=semantic,
        database=database,
        interactions=InteractionLog(database),
        feedback=FeedbackStore(database),
        annotations=Annotations(database),
        nights=StoppingStore(database, stop),
        grants=Grants(database),
        answers=await LanceAnswerArchive.open(home / "answers", embedder),
        pseudonym_key="key",
        approvals=Approvals(database),
        outbox=StoppingOutbox(home, stop),
        registry=registry,
        routes=Routes(registry, partial(read, home / "outbox")),
        base=Route(domain="general", adapter=None, gate=gate()),
        base_name="nightschool",
        card=card(),
        embedder=embedder,
        clock=lambda: datetime.now(UTC),
        new_id=lambda: "id1",
        limits=Limits(poll_seconds=0.05),
        model_folder=model,
    )


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Stop(sys.argv[2])))

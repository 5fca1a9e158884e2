"""Runs the learn runs of one home folder in a process of its own, for tests that kill it.

    python -m tests.support.learn_process HOME STOP_AT [SUBJECT]

Reads are Rust's and the engine is scripted; checkpoints, queues, outbox and relational store are real.
STOP_AT names a step in which the process stays for ever, once that step's work is done.
"""

import asyncio
import logging
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from agent.chat.routing import Route, Routes
from agent.engines.scripted import ScriptedEngine
from graphs.server.learn_spec import LearnInput
from graphs.state import Limits, Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.database.database import open_database
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.feedback.annotations import Annotations
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.nights.store import NightStore
from memory.nights.volatile_answers import VolatileAnswerArchive
from memory.outbox.base import TrainingResult
from memory.outbox.dbos import DbosOutbox
from memory.outbox.files import read
from memory.records.curricula import Curriculum
from memory.records.runs import Job
from memory.semantic.volatile import VolatileSemanticMemory
from memory.server.approvals import Approvals
from memory.server.grants import Grants
from tests.graphs.conftest import BASE_LINES, SONG, TRAINED
from tests.support.cards import card, gate
from tests.support.facts import rust
from tests.support.learn_service import open_runs


async def stay(step: str) -> None:
    """Tells the test that the step is reached, and waits to be killed."""
    print(f"at {step}", flush=True)
    await asyncio.sleep(3600)


class StoppingMemory(VolatileEpisodicMemory):
    def __init__(self, stop: bool) -> None:
        super().__init__(HashingEmbedder())
        self._stop = stop

    async def scores(self, *args: Any, **more: Any) -> Any:
        found = await super().scores(*args, **more)
        if self._stop:
            await stay("explore")
        return found


class StoppingOutbox(DbosOutbox):
    def __init__(self, home: Path, stop_at: str) -> None:
        super().__init__(home / "outbox", f"sqlite:///{home / 'training.db'}")
        self._stop_at = stop_at

    async def submit(self, curriculum: Curriculum, *, run_id: str) -> Job:
        job = await super().submit(curriculum, run_id=run_id)
        print("submitted", flush=True)
        if self._stop_at == "hand_over":
            await stay("hand_over")  # queued, but the checkpoint does not know it yet
        return job

    async def result(self, digest: str) -> TrainingResult | None:
        if self._stop_at == "train":
            await stay("train")
        return await super().result(digest)


async def main(home: Path, stop_at: str, subject: str | None) -> None:
    logging.disable(logging.WARNING)
    passage, facts = rust()
    episodic, semantic = StoppingMemory(stop_at == "explore"), VolatileSemanticMemory()
    await episodic.add([passage])
    await semantic.add(facts)
    registry = VolatileAdapterRegistry([TRAINED])
    database = await open_database(f"sqlite:///{home / 'nightschool.db'}")
    runtime = Runtime(
        engine=ScriptedEngine(BASE_LINES, adapters={TRAINED.name: SONG}),
        episodic=episodic,
        semantic=semantic,
        database=database,
        interactions=InteractionLog(database),
        feedback=FeedbackStore(database),
        annotations=Annotations(database),
        nights=NightStore(database),
        grants=Grants(database),
        answers=VolatileAnswerArchive(HashingEmbedder()),
        pseudonym_key="key",
        approvals=Approvals(database),
        outbox=StoppingOutbox(home, stop_at),
        registry=registry,
        routes=Routes(registry, partial(read, home / "outbox")),
        base=Route(domain="general", adapter=None, gate=gate()),
        base_name="nightschool",
        card=card(),
        embedder=HashingEmbedder(),
        clock=lambda: datetime.now(UTC),
        new_id=lambda: "run1",
        limits=Limits(poll_seconds=0.05),
    )
    async with open_runs(runtime, home) as runs:
        if subject is not None:
            await runs.start(LearnInput(topic=subject))
        while (await runs.status("run1")).status == "running":  # noqa: ASYNC110  # as a client would
            await asyncio.sleep(0.05)
        record = await database.run("run1")
        steps = ",".join(event.step for event in await runs.events("run1"))
        print(f"ended {record.status} {steps.replace(' ', '_')}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None))

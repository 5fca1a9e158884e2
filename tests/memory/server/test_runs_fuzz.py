"""Threads and runs under any sequence of requests and workers: in order, one at a time, none lost.

Hypothesis looks for a sequence after which the tables and a model of them differ; `make fuzz` runs it longer.
"""

import asyncio
import itertools
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from memory.database.database import open_database
from memory.errors import RollbackAsked, RunLost, ThreadBusy, UnknownRun, UnknownThread
from memory.server.runs import CancelAction, ThreadRun, ThreadRuns
from memory.server.threads import ThreadOutcome, Threads
from tests.support.databases import database_url, empty_runs, home, postgresql, template

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]

OUTCOMES = {
    "idle": ThreadOutcome(values={"a": 1}),
    "interrupted": ThreadOutcome(values={}, interrupts={"step": [{"value": "?"}]}, unfinished=True),
    "error": ThreadOutcome(values=None, error={"error": "ValueError", "message": "no"}),
}
WORKERS = st.sampled_from(["w1", "w2"])
PICK = st.integers(0, 9)
"""Which of the runs or threads there are."""


@dataclass
class ModelRun:
    """What should be known of a run."""

    record: ThreadRun
    status: str = "pending"
    worker: str | None = None
    attempt: int = 0
    cancel: CancelAction | None = None

    @property
    def unfinished(self) -> bool:
        return self.status in ("pending", "running")


@dataclass
class ModelThread:
    """What should be known of a thread, with its runs in order."""

    id: str
    runs: list[ModelRun] = field(default_factory=list)
    idle_status: str = "idle"

    def next(self, now: datetime) -> ModelRun | None:
        if any(run.status == "running" for run in self.runs):
            return None
        return next(
            (run for run in self.runs if run.status == "pending" and run.record.starts_at <= now), None
        )


class RunsMachine(RuleBasedStateMachine):
    """Two workers and clients on a few threads."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.runner = asyncio.Runner()
        self.database = self.runner.run(open_database(url, clock=lambda: self.now))
        self.threads, self.runs = Threads(self.database), ThreadRuns(self.database)
        self.model: list[ModelThread] = []
        self.numbers = itertools.count()

    def teardown(self) -> None:
        self.runner.run(self.database.aclose())
        self.runner.close()

    def thread(self, pick: int) -> ModelThread:
        return self.model[pick % len(self.model)]

    def all_runs(self, *statuses: str) -> list[tuple[ModelThread, ModelRun]]:
        return [(t, r) for t in self.model for r in t.runs if not statuses or r.status in statuses]

    @precondition(lambda self: len(self.model) < 3)
    @rule()
    def create_thread(self) -> None:
        id = uuid.uuid4().hex
        self.runner.run(self.threads.create(id, owner="ann", metadata={}))
        self.model.append(ModelThread(id))

    @precondition(lambda self: self.model)
    @rule(
        pick=PICK,
        strategy=st.sampled_from(["reject", "enqueue"]),
        delay=st.sampled_from([0, 0, 60]),
        worker=WORKERS | st.none(),
    )
    def add_run(
        self, pick: int, strategy: Literal["reject", "enqueue"], delay: int, worker: str | None
    ) -> None:
        thread = self.thread(pick)
        self.now += timedelta(seconds=1)
        record = ThreadRun(
            run_id=f"{next(self.numbers):04}-{uuid.uuid4().hex}",
            thread_id=thread.id,
            assistant_id="chat",
            graph_id="chat",
            strategy=strategy,
            created_at=self.now,
            updated_at=self.now,
            starts_at=self.now + timedelta(seconds=delay),
        )
        others = [run for run in thread.runs if run.unfinished]
        adding = self.runs.add(record, create_thread=False, thread_metadata={}, worker=worker)
        if others and strategy == "reject":
            with pytest.raises(ThreadBusy):
                self.runner.run(adding)
            return
        added, unfinished = self.runner.run(adding)
        assert [run.run_id for run in unfinished] == [run.record.run_id for run in others]
        run = ModelRun(record)
        if worker is not None and not others and delay == 0:
            run.status, run.worker, run.attempt = "running", worker, 1
        assert (added.status, added.attempt) == (run.status, run.attempt)
        thread.runs.append(run)

    @rule()
    def use_a_thread_that_is_not_there(self) -> None:
        record = ThreadRun(
            run_id=uuid.uuid4().hex,
            thread_id=uuid.uuid4().hex,
            assistant_id="chat",
            graph_id="chat",
            created_at=self.now,
            updated_at=self.now,
            starts_at=self.now,
        )
        with pytest.raises(UnknownThread):
            self.runner.run(self.runs.add(record, create_thread=False, thread_metadata={}))

    @precondition(lambda self: self.all_runs())
    @rule(pick=PICK, worker=WORKERS)
    def claim(self, pick: int, worker: str) -> None:
        found = self.all_runs()
        thread, run = found[pick % len(found)]
        again = run.status == "running" and run.worker == worker
        claimed = self.runner.run(self.runs.claim(run.record.run_id, worker))
        assert (claimed is not None) == (again or run is thread.next(self.now))
        if claimed is not None:
            run.status, run.worker, run.attempt = "running", worker, run.attempt + 1
            assert claimed.attempt == run.attempt

    @precondition(lambda self: self.all_runs("running"))
    @rule(pick=PICK, worker=WORKERS)
    def take_over(self, pick: int, worker: str) -> None:
        found = self.all_runs("running")
        _, run = found[pick % len(found)]
        seen = self.runner.run(self.runs.get(run.record.run_id))
        assert self.runner.run(self.runs.take_over(seen, worker)) is not None
        assert self.runner.run(self.runs.take_over(seen, "late")) is None, "somebody else was faster"
        run.worker, run.attempt = worker, run.attempt + 1

    @precondition(lambda self: self.all_runs("running"))
    @rule(pick=PICK, kind=st.sampled_from(sorted(OUTCOMES)), forget=st.booleans(), stale=st.booleans())
    def finish(self, pick: int, kind: str, forget: bool, stale: bool) -> None:
        found = self.all_runs("running")
        thread, run = found[pick % len(found)]
        seen = self.runner.run(self.runs.get(run.record.run_id))
        if stale:
            seen = seen.model_copy(update={"attempt": seen.attempt - 1})
        finishing = self.runs.finish(seen, "success", OUTCOMES[kind], checkpoint_id=None, forget=forget)
        if stale:
            with pytest.raises(RunLost):
                self.runner.run(finishing)
            return
        if run.cancel == "rollback" and not forget:
            with pytest.raises(RollbackAsked):
                self.runner.run(finishing)
            return
        waiting = self.runner.run(finishing)
        run.status, run.worker, thread.idle_status = "success", None, kind
        if forget:
            thread.runs.remove(run)
        assert waiting == any(run.unfinished for run in thread.runs)

    @precondition(lambda self: self.all_runs())
    @rule(pick=PICK, action=st.sampled_from(["interrupt", "rollback"]))
    def cancel(self, pick: int, action: CancelAction) -> None:
        found = self.all_runs()
        thread, run = found[pick % len(found)]
        cancelled = self.runner.run(self.runs.cancel(run.record.run_id, action, "w1"))
        assert (cancelled is not None) == run.unfinished
        if run.status == "running":
            run.cancel = action
        elif run.status == "pending" and action == "rollback":
            thread.runs.remove(run)
        elif run.status == "pending":
            run.status, run.cancel = "interrupted", action

    @precondition(lambda self: self.all_runs())
    @rule(pick=PICK)
    def delete_run(self, pick: int) -> None:
        found = self.all_runs()
        thread, run = found[pick % len(found)]
        deleting = self.runs.delete(run.record.run_id)
        if run.unfinished:
            with pytest.raises(ThreadBusy):
                self.runner.run(deleting)
            return
        self.runner.run(deleting)
        thread.runs.remove(run)
        with pytest.raises(UnknownRun):
            self.runner.run(self.runs.get(run.record.run_id))

    @precondition(lambda self: len(self.model) > 2)
    @rule(pick=PICK)
    def delete_thread(self, pick: int) -> None:
        thread = self.thread(pick)
        self.runner.run(self.threads.delete(thread.id))
        self.model.remove(thread)
        for run in thread.runs:
            with pytest.raises(UnknownRun):
                self.runner.run(self.runs.get(run.record.run_id))

    @rule(seconds=st.sampled_from([1, 61]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @invariant()
    def the_tables_say_what_the_model_says(self) -> None:
        for thread in self.model:
            stored = self.runner.run(self.runs.list(thread.id, limit=1000))
            assert [_seen(run) for run in reversed(stored)] == [
                (run.record.run_id, run.status, run.attempt, run.worker, run.cancel) for run in thread.runs
            ]
            busy = any(run.unfinished for run in thread.runs)
            status = self.runner.run(self.threads.get(thread.id)).status
            assert status == ("busy" if busy else thread.idle_status)
            assert sum(run.status == "running" for run in stored) <= 1
            following = self.runner.run(self.runs.next(thread.id))
            expected = thread.next(self.now)
            assert (following and following.run_id) == (expected and expected.record.run_id)
        due = set(self.runner.run(self.runs.due()))
        assert {thread.id for thread in self.model if thread.next(self.now)} == due & {
            t.id for t in self.model
        }


def _seen(run: ThreadRun) -> tuple[Any, ...]:
    return run.run_id, run.status, run.attempt, run.worker, run.cancel


@pytest.mark.slow
@pytest.mark.services
def test_any_sequence_leaves_the_tables_as_the_model_says(database_url: str) -> None:
    profile = settings.get_current_profile_name()
    run_state_machine_as_test(
        lambda: RunsMachine(database_url),
        settings=settings(
            max_examples=300 if profile == "fuzz" else 6,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

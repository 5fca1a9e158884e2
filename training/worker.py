"""The training process: it claims queued curricula one at a time and survives being killed.

What one job does is in `jobs`.
"""

import argparse
import fcntl
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from agent.errors import AgentError
from agent.models.store import resolve_model
from agent.settings import Settings, read_settings
from memory.errors import StorageError
from memory.outbox.base import Progress, TrainingResult
from memory.outbox.dbos import QUEUE, VERSION, WORKFLOW, open_queue
from memory.outbox.files import report_progress
from memory.records.base import Digest
from memory.records.runs import Job
from training.backends.base import TrainingSummary
from training.base_model import open_base_model
from training.errors import TrainingError, WorkerBusy
from training.jobs import (
    ATTEMPTS,
    AttemptSpec,
    GatedAttempt,
    JobContext,
    conclude,
    gate_adapter,
    measure_adapter,
    measure_base,
    plan_attempt,
    train,
)

log = logging.getLogger(__name__)

RECOVERIES = 3
"""Times that a job is taken up again after the worker died on it, before it ends as failed."""
SPINS = "1000"
"""How often a thread of OpenMP looks for work before it sleeps. Measured on two cores, seconds a step alone
and beside a process that keeps one core busy: 3.1 and 3.9 without spinning, 2.5 and 4.6 with 1,000 spins, 2.2
and 7.9 with 5,000. That process lost no more than a twentieth of its speed each time."""
EXECUTOR = "trainer"
"""The same after every restart, so that DBOS knows the interrupted jobs as ours."""


def main(arguments: list[str] | None = None) -> int:
    """Runs the worker until SIGTERM or SIGINT; returns the process's exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = _settings(options)
        settings.home.mkdir(parents=True, exist_ok=True)
        with sole_worker(settings.home / "worker.lock"):
            _quieten(settings)
            context = open_context(settings, quick=options.quick)
            serve(context, settings.path("training.db"), once=options.once, say=_say)
    except (TrainingError, StorageError, AgentError, ValueError) as error:
        print(f"nightschool worker: {error}", file=sys.stderr, flush=True)
        return 2
    return 0


def serve(context: JobContext, database: Path, *, once: bool, say: Callable[[str], None]) -> None:
    """Works off the queue in `database`; with `once` until it is empty, else until a signal.

    A job in progress at the signal is left where it is: the next worker resumes it.
    """
    from dbos import DBOS, DBOSPortableJSONSerializer

    url = f"sqlite:///{database}"
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    DBOS(
        config={
            "name": "nightschool-training",
            "system_database_url": url,
            "application_version": VERSION,
            "executor_id": EXECUTOR,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "ERROR",
        }
    )
    register_workflow(context, say)
    DBOS.launch()
    DBOS.register_queue(QUEUE, worker_concurrency=1, polling_interval_sec=0.5)
    say(f"ready: worker on {context.base.card.name}, recipe {context.recipe.name}, queue {database}")
    client = open_queue(url)
    try:
        while not stop.wait(0.5):
            if once and not client.list_workflows(status=["ENQUEUED", "PENDING"], limit=1):
                break
    finally:
        client.destroy()
        busy = stop.is_set()
        DBOS.destroy(workflow_completion_timeout_sec=0)
    if busy:
        say("stopped; a job in progress resumes with the next start")
        # A training thread cannot be interrupted, and the interpreter would wait for it. Each step leaves
        # whole files or none, which is what makes this as safe as kill -9.
        sys.stdout.flush()
        os._exit(0)


def register_workflow(context: JobContext, say: Callable[[str], None]) -> None:
    """Declares the durable workflow `train`: each finished step is recorded and never run again."""
    from dbos import DBOS

    one_at_a_time = threading.Lock()  # a resumed job does not come through the queue and its limit

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=RECOVERIES)
    def training(document: dict[str, Any]) -> dict[str, Any]:
        job = Job.model_validate(document)
        with one_at_a_time:
            say(f"{job.digest[:8]}: {job.domain}, run {job.run_id}")
            started = time.monotonic()
            result = run(context, job, lambda name, step: DBOS.run_step({"name": name}, step))
            say(
                f"{job.digest[:8]}: {result.status} after {time.monotonic() - started:.0f} s: {result.reason}"
            )
        return result.model_dump(mode="json")


def run(
    context: JobContext,
    job: Job,
    step: Callable[[str, Callable[[], dict[str, Any] | None]], dict[str, Any] | None],
) -> TrainingResult:
    """All steps of one job, through `step`, which records what each returns.

    A curriculum that must not or cannot be learned ends as failed with its reason. Other errors are ours, and
    are raised once the job's progress says so.
    """
    judged: list[GatedAttempt] = []
    try:
        while True:
            judged.append(_attempt(context, job, step, judged))
            verdict = judged[-1].verdict
            if verdict.passed or not verdict.measured or len(judged) == ATTEMPTS:
                break
        return TrainingResult.model_validate(
            step("conclude", lambda: conclude(context, job, judged).model_dump(mode="json"))
        )
    except (TrainingError, StorageError, AgentError) as error:
        log.warning("%s: %s", job.digest[:8], error, exc_info=True)
        context.report(job.digest, Progress(phase="done", message=str(error)))
        return TrainingResult(status="failed", adapter=None, reason=str(error))
    except Exception as error:
        log.exception("%s: a fault in the trainer", job.digest[:8])
        context.report(job.digest, Progress(phase="done", message=f"a fault in the trainer: {error!r}"))
        raise


def _attempt(
    context: JobContext,
    job: Job,
    step: Callable[[str, Callable[[], dict[str, Any] | None]], dict[str, Any] | None],
    before: Sequence[GatedAttempt],
) -> GatedAttempt:
    """One adapter for the lesson, after those `before` failed; each has step names of its own."""
    failed = before[-1].verdict if before else None
    number = f" {len(before) + 1}" if before else ""
    attempt = AttemptSpec.model_validate(
        step(f"claim{number}", lambda: plan_attempt(context, job, failed).model_dump(mode="json"))
    )
    step(f"measure base{number}", partial(measure_base, context, job, attempt))
    summary = TrainingSummary.model_validate(
        step(f"train{number}", lambda: train(context, job, attempt).model_dump(mode="json"))
    )
    step(f"measure adapter{number}", partial(measure_adapter, context, job, attempt))
    return GatedAttempt.model_validate(
        step(f"judge{number}", lambda: gate_adapter(context, job, attempt, summary).model_dump(mode="json"))
    )


def open_context(settings: Settings, *, quick: bool = False) -> JobContext:
    """Builds what the jobs need. Raises TrainingError, StorageError, AgentError, ValueError."""
    from agent.engines.local import LocalEngine
    from memory.adapters.mlflow import MlflowAdapterRegistry
    from training.backends.choice import choose_trainer
    from training.evaluation_questions import QuestionCounts
    from training.gates import GateThresholds
    from training.recipes import quick as quick_recipe
    from training.recipes import standard

    home = settings.home.resolve()
    base = open_base_model(resolve_model(settings).folder)
    return JobContext(
        home=home,
        base=base,
        recipe=quick_recipe(base.card) if quick else standard(base.card),
        question_counts=QuestionCounts(most=40, general=30, unknown=30, own=10)
        if quick
        else QuestionCounts(),
        thresholds=GateThresholds(),
        registry=MlflowAdapterRegistry(home, base=base.card.digest),
        train=choose_trainer(),
        open_engine=lambda: LocalEngine.open(base.folder, base.card.template),
        clock=lambda: datetime.now(UTC),
        report=Reporter(home / "outbox", _say),
    )


class Reporter:
    """Passes progress to the outbox at most twice a second, and to the log at most every five seconds."""

    def __init__(
        self, folder: Path, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._say = say
        self._clock = clock
        self._last: tuple[Digest, str] | None = None
        self._written = self._said = float("-inf")

    def __call__(self, digest: Digest, progress: Progress) -> None:
        """Reports unless it comes too soon; a new phase is never too soon."""
        now = self._clock()
        fresh = self._last != (digest, progress.phase)
        self._last = (digest, progress.phase)
        if fresh or now - self._written >= 0.5:
            report_progress(self._folder, digest, progress)
            self._written = now
        if fresh or now - self._said >= 5.0:
            count = f" {progress.done}/{progress.total}" if progress.total else ""
            self._say(f"{digest[:8]}: {progress.phase}{count} {progress.message}".rstrip())
            self._said = now


@contextmanager
def sole_worker(path: Path) -> Iterator[None]:
    """Holds the home folder's lock while in use; the system frees it if the process dies.

    Raises WorkerBusy.
    """
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WorkerBusy(f"another worker already serves {path.parent}: stop it first") from None
        yield


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.worker", description="Trains approved curricula into LoRA adapters."
    )
    parser.add_argument("--home", type=Path, help="folder that holds all state (default: NIGHTSCHOOL_HOME)")
    parser.add_argument("--model", help="base model folder or name (default: NIGHTSCHOOL_MODEL)")
    parser.add_argument("--once", action="store_true", help="end when the queue is empty")
    parser.add_argument("--quick", action="store_true", help="a few steps only, to try the machinery")
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    given = {"home": options.home, "model": options.model}
    return read_settings(**{name: value for name, value in given.items() if value is not None})


def _quieten(settings: Settings) -> None:
    """Our own lines only; and no library of ours reports to its makers."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # before torch is imported
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    logging.basicConfig(level=settings.log_level.upper(), format="%(name)s: %(message)s")
    for name in ("mlflow", "alembic", "transformers", "httpx", "dbos"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())

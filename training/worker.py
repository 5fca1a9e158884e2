"""The training worker process: runs queued training jobs one at a time, and resumes them after a crash.

The steps of a lesson's job are in `jobs`, those of a preference job in `preferences.jobs`.
"""

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from opentelemetry.trace import SpanKind
from sqlalchemy.engine import make_url

from agent import telemetry
from agent.errors import AgentError
from agent.logs import RUN_ID, printer, start_logging
from agent.models.store import resolve_model
from agent.settings import SHARED, Settings, read_settings
from memory import tracing
from memory.errors import BadSignature, StorageError
from memory.file_locks import file_lock
from memory.file_modes import keep_private, make_home
from memory.language.control_characters import clean
from memory.outbox.base import Progress, TrainingResult
from memory.outbox.dbos import QUEUE, SCHEMA, VERSION, WORKFLOW, open_queue, queue_onto
from memory.records.base import Record
from memory.records.feedback import Algorithm
from memory.records.runs import Job
from training.backends.base import TrainingSummary
from training.base_model import open_base_model
from training.errors import TrainingError, WorkerBusy
from training.forgotten_weights import ForgottenWeights
from training.jobs import (
    ATTEMPTS,
    AdapterEvaluation,
    AttemptSpec,
    Baseline,
    GatedAttempt,
    JobContext,
    conclude,
    gate_adapter,
    measure_adapter,
    measure_base,
    plan_attempt,
    train,
)
from training.preferences import jobs as preference_jobs
from training.preferences.gates import only_lost
from training.preferences.jobs import AdapterMeasured, PreferenceContext, PreferencePlan, StartMeasured
from training.preferences.recipes import PreferenceRecipe
from training.progress import ProgressReporter
from training.stranded import Stranded, StrandedJobs, is_outage

log = logging.getLogger(__name__)

RECOVERIES = 3
"""How often a job is resumed after the worker crashed on it, before it ends as failed."""
SPIN_COUNT = "1000"
"""How often an OpenMP thread polls for work before it sleeps. Measured on two cores, in seconds per step,
alone and beside a process that keeps one core busy: 3.1 and 3.9 without spinning, 2.5 and 4.6 with 1,000
spins, 2.2 and 7.9 with 5,000. The other process lost at most a twentieth of its speed."""
EXECUTOR = "trainer"
"""DBOS executor id; the same after every restart, so that DBOS resumes our interrupted jobs."""


def main(arguments: list[str] | None = None) -> int:
    """Runs the worker until SIGTERM or SIGINT; returns the exit code of the process."""
    keep_private()
    options = _parser().parse_args(arguments)
    try:
        settings = _settings(options)
        make_home(settings.home)
        for folder in (settings.path(SHARED), settings.path("jobs")):
            folder.mkdir(exist_ok=True)
        lock = settings.path("jobs") / "worker.lock"
        with sole_worker(lock):
            _configure_logging(settings)
            say = printer("training.worker", settings.log_format)
            context = open_context(settings, say, quick=options.quick)
            lock.write_text(context.base.card.digest, encoding="ascii")  # for those who find it locked
            preferences = open_preferences(context, quick=options.quick)
            with telemetry.exported_traces("worker"):
                serve(context, preferences, settings.training_url, once=options.once, say=say)
    except (TrainingError, StorageError, AgentError, ValueError) as error:
        print(f"nightschool worker: {clean(str(error))}", file=sys.stderr, flush=True)
        return 2
    return 0


def serve(
    context: JobContext,
    preferences: PreferenceContext,
    url: str,
    *,
    once: bool,
    say: Callable[[str], None],
) -> None:
    """Runs the jobs of the queue at a SQLAlchemy URL until a signal, or with `once` until it is empty.

    A job in progress at the signal is interrupted; the next worker resumes it. So is one that the disk or the
    database failed: the process then exits with 1.
    """
    from dbos import DBOS, DBOSPortableJSONSerializer

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    DBOS(
        config={
            "name": "nightschool-training",
            "system_database_url": url,
            "dbos_system_schema": SCHEMA,
            "application_version": VERSION,
            "executor_id": EXECUTOR,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "ERROR",
        }
    )
    client = open_queue(url)
    jobs = StrandedJobs(
        lambda ids: {each.workflow_id for each in client.list_workflows(workflow_ids=ids, status="PENDING")}
    )
    register_workflow(context, preferences, say, jobs)
    queues = [QUEUE, queue_onto(context.base.card.digest)]  # not those of other base models
    DBOS.listen_queues(queues)
    DBOS.launch()
    for queue in queues:
        DBOS.register_queue(queue, worker_concurrency=1, polling_interval_sec=0.5)
    say(f"ready: worker on {context.base.card.name}, recipe {context.recipe.name}, queue {make_url(url)!r}")
    failure: Stranded | None = None
    forgotten = ForgottenWeights(context.registry, say)
    try:
        while not stop.wait(0.5):
            jobs.check()
            forgotten.erase_if_due()
            if once and not client.list_workflows(status=["ENQUEUED", "PENDING"], queue_name=queues, limit=1):
                break
    except Stranded as error:
        failure = error
        log.error("a job cannot be ended and resumes with the next start: %s", clean(str(error)))
    finally:
        client.destroy()
        stopped = stop.is_set()
        DBOS.destroy(workflow_completion_timeout_sec=0)
    if stopped and failure is None:
        say("stopped; a job in progress resumes with the next start")
    if stopped or failure is not None:
        # The interpreter would wait for the training thread, which cannot be interrupted. Exiting here is
        # safe, because each step writes its files atomically.
        sys.stdout.flush()
        os._exit(0 if failure is None else 1)


Step = Callable[[str, Callable[[], dict[str, Any]]], dict[str, Any]]
"""Runs a named step, or returns the recorded result of an earlier run."""
R = TypeVar("R", bound=Record)


def register_workflow(
    context: JobContext, preferences: PreferenceContext, say: Callable[[str], None], jobs: StrandedJobs
) -> None:
    """Registers the durable DBOS workflow `train`: finished steps are recorded and not repeated."""
    from dbos import DBOS

    one_at_a_time = threading.Lock()  # resumed jobs bypass the queue and its concurrency limit

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=RECOVERIES)
    def training(document: dict[str, Any]) -> dict[str, Any]:
        job = Job.model_validate(document)
        RUN_ID.set(job.run_id)
        with jobs.watched(DBOS.workflow_id or ""), one_at_a_time, job_span(job):
            say(f"{job.digest[:8]}: {job.kind} for {job.domain}, run {job.run_id}")
            started = time.monotonic()

            def step(name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
                with tracing.span(f"step {name}"):
                    return DBOS.run_step({"name": name}, work)

            if job.kind == "preferences":
                result = run_preferences(preferences, job, step)
            else:
                result = run(context, job, step)
            say(
                f"{job.digest[:8]}: {result.status} after {time.monotonic() - started:.0f} s: {result.reason}"
            )
        return result.model_dump(mode="json")


@contextmanager
def job_span(job: Job) -> Iterator[None]:
    """A span of the job in the trace of the run that asked for it; sent at its end."""
    carrier = {} if job.traceparent is None else {tracing.TRACEPARENT: job.traceparent}
    try:
        with tracing.span(
            f"train {job.kind}",
            {"nightschool.run_id": job.run_id, "nightschool.job": job.digest},
            kind=SpanKind.CONSUMER,
            parent=tracing.continued(carrier),
        ):
            yield
    finally:
        telemetry.flush()


def run(context: JobContext, job: Job, step: Step) -> TrainingResult:
    """Runs all steps of a lesson's job through `step`, which records the result of each."""

    def steps() -> TrainingResult:
        attempts: list[Attempt] = []
        while True:
            attempts.append(run_attempt(context, job, step, attempts))
            verdict = attempts[-1].gated.verdict
            if verdict.passed or not verdict.measured or len(attempts) == ATTEMPTS:
                break
        gated = [attempt.gated for attempt in attempts]
        return _recorded(step, "conclude", TrainingResult, lambda: conclude(context, job, gated))

    return _ended(context, job, steps)


def run_preferences(context: PreferenceContext, job: Job, step: Step) -> TrainingResult:
    """Runs all steps of a preference job through `step`, which records the result of each."""

    def steps() -> TrainingResult:
        planned = _recorded(step, "plan", PreferencePlan, lambda: preference_jobs.plan(context, job))
        start = _recorded(
            step, "measure base", StartMeasured, lambda: preference_jobs.measure_start(context, job, planned)
        )
        gated = _try_preferences(context, job, step, planned, start)
        if only_lost(gated.verdict):
            planned = _recorded(
                step, "plan 2", PreferencePlan, lambda: preference_jobs.plan(context, job, again=True)
            )
            gated = _try_preferences(context, job, step, planned, start, " 2")
        return _recorded(
            step, "conclude", TrainingResult, lambda: preference_jobs.conclude(context, job, gated)
        )

    return _ended(context.jobs, job, steps)


def _try_preferences(
    context: PreferenceContext,
    job: Job,
    step: Step,
    planned: PreferencePlan,
    start: StartMeasured,
    number: str = "",
) -> GatedAttempt:
    """One attempt at a preference set; `number` is the end of its step names."""
    summary = _recorded(
        step, f"train{number}", TrainingSummary, lambda: preference_jobs.train(context, job, planned, start)
    )
    measured = _recorded(
        step,
        f"measure adapter{number}",
        AdapterMeasured,
        lambda: preference_jobs.measure_adapter(context, job, planned, start),
    )
    return _recorded(
        step,
        f"gate{number}",
        GatedAttempt,
        lambda: preference_jobs.gate_adapter(context, job, planned, start, summary, measured),
    )


def _ended(context: JobContext, job: Job, steps: Callable[[], TrainingResult]) -> TrainingResult:
    """The result of all steps.

    An expected error ends the job as failed, with the reason; one of the disk or the database is raised. Any
    other error is a bug: it is reported as the job's progress and raised.
    """
    try:
        return steps()
    except BadSignature as error:
        log.error("%s is refused: %s", job.digest[:8], error)
        context.report(job.id, Progress(phase="done", message=str(error)))
        return TrainingResult(status="failed", adapter=None, reason=str(error), unsigned=True)
    except (TrainingError, StorageError, AgentError) as error:
        log.warning("%s: %s", job.digest[:8], error, exc_info=True)
        context.report(job.id, Progress(phase="done", message=str(error)))
        return TrainingResult(status="failed", adapter=None, reason=str(error))
    except Exception as error:
        if is_outage(error):
            raise
        log.exception("%s: unexpected error in the training worker", job.digest[:8])
        message = f"unexpected error in the training worker: {error!r}"
        context.report(job.id, Progress(phase="done", message=message))
        raise


class Attempt(NamedTuple):
    """One attempt at a lesson."""

    spec: AttemptSpec
    baseline: Baseline
    gated: GatedAttempt


def run_attempt(context: JobContext, job: Job, step: Step, earlier: Sequence[Attempt] = ()) -> Attempt:
    """Runs one attempt; each has its own step names. The baseline is measured again only if it changed."""
    last = earlier[-1] if earlier else None
    number = f" {len(earlier) + 1}" if earlier else ""
    failed = last.gated.verdict if last else None
    spec = _recorded(step, f"plan{number}", AttemptSpec, lambda: plan_attempt(context, job, failed))
    if last is not None and last.spec.measured_like(spec):
        baseline = last.baseline
    else:
        baseline = _recorded(
            step, f"measure base{number}", Baseline, lambda: measure_base(context, job, spec)
        )
    summary = _recorded(step, f"train{number}", TrainingSummary, lambda: train(context, job, spec, baseline))
    measured = _recorded(
        step,
        f"measure adapter{number}",
        AdapterEvaluation,
        lambda: measure_adapter(context, job, spec, baseline),
    )
    gated = _recorded(
        step,
        f"gate{number}",
        GatedAttempt,
        lambda: gate_adapter(context, job, spec, baseline, summary, measured),
    )
    return Attempt(spec, baseline, gated)


def _recorded(step: Step, name: str, kind: type[R], work: Callable[[], R]) -> R:
    """The result of a step, which is recorded as JSON."""
    return kind.model_validate(step(name, lambda: work().model_dump(mode="json")))


def open_context(settings: Settings, say: Callable[[str], None], *, quick: bool = False) -> JobContext:
    """Builds the dependencies of the jobs, whose progress is told to `say`.

    Raises TrainingError, StorageError, AgentError or ValueError.
    """
    from agent.engines.local import LocalEngine
    from agent.registry import open_registry
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
        registry=open_registry(settings, base.card.digest),
        train=choose_trainer(),
        open_engine=lambda: LocalEngine.open(base.folder, base.card.template),
        clock=lambda: datetime.now(UTC),
        report=ProgressReporter(home / "outbox", say),
        models=settings.models,
    )


def open_preferences(context: JobContext, *, quick: bool = False) -> PreferenceContext:
    """Builds the dependencies of preference jobs on top of those of lessons."""
    from agent.feedback.safety import safety_prompts
    from training.preferences.gates import PreferenceThresholds
    from training.preferences.recipes import RECIPES
    from training.preferences.recipes import quick as quick_preferences
    from training.preferences.trainer import make_trainer

    def recipe(algorithm: Algorithm) -> PreferenceRecipe:
        standard = RECIPES[algorithm](context.base.card, context.recipe)
        return quick_preferences(standard) if quick else standard

    return PreferenceContext(
        jobs=context,
        recipe=recipe,
        train=make_trainer(context.train),
        thresholds=PreferenceThresholds(lessons=context.thresholds),
        safety=safety_prompts(),
    )


def sole_worker(path: Path) -> AbstractContextManager[None]:
    """Holds the lock file of a home folder's worker. Raises WorkerBusy."""
    return file_lock(path, busy=WorkerBusy(f"another worker already uses {path}: stop it first"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.worker", description="Trains approved curricula into LoRA adapters."
    )
    parser.add_argument("--home", type=Path, help="folder of all data (default: NIGHTSCHOOL_HOME)")
    parser.add_argument("--model", help="base model folder or name (default: NIGHTSCHOOL_MODEL)")
    parser.add_argument("--once", action="store_true", help="exit when the queue is empty")
    parser.add_argument("--quick", action="store_true", help="train only a few steps, as a test")
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    overrides = {"home": options.home, "model": options.model}
    return read_settings(**{name: value for name, value in overrides.items() if value is not None})


def _configure_logging(settings: Settings) -> None:
    """Hides libraries' log lines and progress bars, turns telemetry off, and sets OpenMP's spin count."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)  # before torch is imported
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    start_logging(settings.log_level, "%(name)s: %(message)s", settings.log_format)
    for name in ("mlflow", "alembic", "transformers", "httpx", "dbos"):
        logging.getLogger(name).setLevel(logging.WARNING)


if __name__ == "__main__":
    raise SystemExit(main())

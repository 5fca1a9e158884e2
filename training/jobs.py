"""The steps of one training job, each safe to repeat: a crash between or within them loses nothing.

Queueing and resuming are the worker's; training, measuring and gating are in modules of their own.
"""

import asyncio
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path

from agent.engines.adapter_files import digest_of_files
from agent.errors import EngineError, EngineUnavailable
from memory.adapters.mlflow import MlflowAdapterRegistry
from memory.errors import CorruptRecord, UnknownRun
from memory.outbox import files as outbox
from memory.outbox.base import Phase, Progress, TrainingResult
from memory.outbox.files import write_atomically
from memory.records.adapters import Adapter
from memory.records.base import Digest, Record, digest_of
from memory.records.curricula import Curriculum
from memory.records.evaluations import Evaluation, GateVerdict
from memory.records.runs import Job
from training.backends.base import Example, Trainer, TrainingSummary
from training.base_model import StudiedModel
from training.cached_engine import CachedEngine
from training.calibration import fit_gate, gate_pass_rates
from training.dataset import lesson_examples, merge, reading_examples
from training.errors import CurriculumRefused
from training.evaluate import (
    GradedAnswer,
    QuestionSets,
    ScoringEngine,
    answer_style,
    ask,
    choose_canary,
    evaluate,
    evaluation,
    measure_drift,
)
from training.evaluation_questions import QuestionCounts, drift_answers, evaluation_sets
from training.gates import GateThresholds, gate
from training.recipes import Recipe, retry_recipe, sized_for_lesson
from training.rejection import explain_rejection
from training.replay import distillation_examples, distillation_prompts, refusal_examples, replay_examples

log = logging.getLogger(__name__)


SPARE_TOKENS = 8
"""An own answer is cut off so long after what is looked at of it: read anew, it may have fewer tokens."""
ATTEMPTS = 2
"""Times that a lesson is tried. One that fails as often stays with retrieval."""


@dataclass(frozen=True)
class JobContext:
    """What every job needs; built once by the worker."""

    home: Path
    base: StudiedModel
    recipe: Recipe
    question_counts: QuestionCounts
    thresholds: GateThresholds
    registry: MlflowAdapterRegistry
    train: Trainer
    open_engine: Callable[[], ScoringEngine]
    clock: Callable[[], datetime]
    report: Callable[[Digest, Progress], None]


class AttemptSpec(Record):
    """What a job will make: the adapter's name, the earlier curricula that it must not forget and those that
    it must, the live adapter that knows them, whether training goes on from that one, and by which recipe."""

    name: str
    version: int
    rehearsed: tuple[Digest, ...]
    left_out: tuple[Digest, ...]
    live: str | None
    goes_on: bool
    recipe: Recipe


class GatedAttempt(Record):
    """One attempt, measured and gated."""

    adapter: str
    verdict: GateVerdict


class Baseline(Record):
    """What the base model answered, before anything is trained."""

    sets: QuestionSets
    before: Evaluation
    answers: tuple[GradedAnswer, ...]
    held: tuple[tuple[str, str], ...]
    """Questions that are trained beside the lesson, and the base model's answers."""


def plan_attempt(context: JobContext, job: Job, failed: GateVerdict | None = None) -> AttemptSpec:
    """Reads and checks the curriculum, and names the adapter; `failed` is what came of the attempt before.

    What the live adapter learned is left out where this curriculum supersedes it or it is in quarantine;
    training then starts at the base model, for the live adapter's weights hold it. One that was trained on
    another base model is not live for this one, and its lessons are to be handed over again.
    Raises CurriculumRefused for one in quarantine, CorruptRecord for an altered one.
    """
    _tell(context, job, "preparing", message="reading the curriculum")
    if (reason := context.registry.quarantined(job.digest)) is not None:
        raise CurriculumRefused(f"this curriculum is in quarantine: {reason}")
    curriculum = outbox.read(context.home / "outbox", job.digest)
    if curriculum.domain != job.domain:
        raise CurriculumRefused(f"the job is for {job.domain!r}, its curriculum for {curriculum.domain!r}")
    live = context.registry.live(job.domain)
    if live is not None and live.base_digest != context.base.card.digest:
        live = None
    earlier = [digest for digest in live.learned if digest != job.digest] if live else []
    left_out = tuple(
        digest
        for digest in earlier
        if digest in curriculum.supersedes or context.registry.quarantined(digest) is not None
    )
    first = sized_for_lesson(context.recipe, len(curriculum.facts))
    recipe = first if failed is None else retry_recipe(first, failed)
    same = live is not None and live.recipe.partition(":")[0] == context.recipe.name
    version = context.registry.next_version(job.domain)
    return AttemptSpec(
        name=f"{job.domain}-v{version}-{job.digest[:8]}",
        version=version,
        rehearsed=tuple(digest for digest in earlier if digest not in left_out),
        left_out=left_out,
        live=live.name if live else None,
        goes_on=same and not left_out,
        recipe=recipe,
    )


def measure_base(context: JobContext, job: Job, attempt: AttemptSpec) -> None:
    """Asks the base model everything, and the live adapter about earlier lessons and what it is to forget;
    keeps the answers for the steps that follow, and for a second attempt."""
    path = _baseline_path(context, job, attempt)
    if path.exists():
        return
    lesson, earlier = _lessons(context, job, attempt)
    left_out = _still_there(context, attempt.left_out)
    sets = evaluation_sets(
        lesson, context.base, context.question_counts, context.recipe, earlier=earlier, left_out=left_out
    )
    style, prompts = answer_style(context.base.card), distillation_prompts(context.base, context.recipe)

    async def answer() -> Baseline:
        engine = CachedEngine(context.open_engine(), _answers_path(context))
        total = sets.count + len(sets.forgotten) + len(prompts)  # the forgotten are asked of both
        counted = _counter(context, job, total, "asking the base model")
        of_base = sets.model_copy(update={"rehearsed": ()})
        measured, answers = await evaluate(engine, None, of_base, style, on_answer=counted)
        beginning = style.model_copy(update={"tokens": context.recipe.longest + SPARE_TOKENS})
        own = await ask(engine, prompts, beginning, on_answer=counted)
        if attempt.live is not None and (sets.rehearsed or sets.forgotten):
            await engine.load(attempt.live, Path(context.registry.get(attempt.live).path))
            of_live = sets.model_copy(
                update={"in_distribution": (), "out_of_distribution": (), "unknown": ()}
            )
            _, told = await evaluate(engine, attempt.live, of_live, style, on_answer=counted)
            answers = (*answers, *(_of_live(answer) for answer in told))
        return Baseline(
            sets=sets,
            before=evaluation(answers, seconds=measured.seconds),
            answers=answers,
            held=tuple((prompt, reply.text) for prompt, reply in zip(prompts, own, strict=True)),
        )

    write_atomically(path, asyncio.run(answer()).model_dump_json())


def train(context: JobContext, job: Job, attempt: AttemptSpec) -> TrainingSummary:
    """Trains into a hidden folder that becomes the adapter's only when it is whole."""
    final = _adapter(context, attempt)
    done = _folder(context, attempt) / "training.json"
    if final.exists() and done.exists():
        return TrainingSummary.model_validate_json(done.read_bytes())
    unfinished = final.with_name(f".{attempt.name}.unfinished")
    for leftover in (unfinished, final):
        shutil.rmtree(leftover, ignore_errors=True)
    unfinished.mkdir(parents=True)
    examples = _examples(context, job, attempt)
    _tell(context, job, "training", message=f"{len(examples)} examples")

    def on_progress(step: int, steps: int, loss: float) -> None:
        _tell(context, job, "training", step, steps, f"loss {loss:.3f}")

    start = Path(context.registry.get(attempt.live).path) if attempt.live and attempt.goes_on else None
    summary = context.train(context.base, examples, attempt.recipe, unfinished, on_progress, start=start)
    write_atomically(done, summary.model_dump_json())
    _flush(unfinished)
    unfinished.rename(final)
    return summary


def measure_adapter(context: JobContext, job: Job, attempt: AttemptSpec) -> None:
    """Asks the adapted model the same questions.

    Raises EngineError for an adapter that cannot be loaded or asked; it is removed, so that the same lesson
    handed over again is trained anew.
    """
    path = _folder(context, attempt) / "adapted.json"
    if path.exists():
        return
    sets = _baseline(context, job, attempt).sets
    own = drift_answers(context.base, context.question_counts, context.recipe)
    folder, style = _adapter(context, attempt), answer_style(context.base.card)

    async def answer() -> tuple[Evaluation, tuple[GradedAnswer, ...]]:
        engine = context.open_engine()
        await engine.load(attempt.name, folder)
        counted = _counter(context, job, sets.count + 2 * len(own), "asking the adapted model")
        after, answers = await evaluate(engine, attempt.name, sets, style, on_answer=counted)
        moved = await measure_drift(engine, attempt.name, own, style, on_answer=counted)
        return after.model_copy(update={"drift": moved}), answers

    try:
        files = digest_of_files(folder)
        after, answers = asyncio.run(answer())
    except EngineUnavailable:
        raise
    except EngineError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    write_atomically(path, _Measured(after=after, answers=answers, files=files).model_dump_json())


def gate_adapter(
    context: JobContext, job: Job, attempt: AttemptSpec, summary: TrainingSummary
) -> GatedAttempt:
    """Gates the adapter, and registers it as candidate or rejected."""
    _tell(context, job, "registering")
    base = _baseline(context, job, attempt)
    measured = _Measured.model_validate_json((_folder(context, attempt) / "adapted.json").read_bytes())
    as_learned = _as_learned(context, job, attempt)
    verdict = gate(base.before, measured.after, context.thresholds, as_learned=as_learned)
    card = context.base.card
    fitted = fit_gate(measured.answers, card.gate)
    context.registry.register(
        Adapter(
            name=attempt.name,
            domain=job.domain,
            version=attempt.version,
            status="candidate" if verdict.passed else "rejected",
            path=str(_adapter(context, attempt)),
            files=measured.files,
            base_model=card.name,
            base_digest=card.digest,
            curriculum=job.digest,
            rehearsed=attempt.rehearsed,
            parent=attempt.live,
            recipe=attempt.recipe.name,
            gate=fitted,
            let_through=gate_pass_rates(measured.answers, fitted),
            before=base.before,
            after=measured.after,
            verdict=verdict,
            canary=choose_canary(base.answers, measured.answers),
            training_seconds=summary.seconds,
            training_tokens=summary.tokens,
            created_at=context.clock(),
        )
    )
    return GatedAttempt(adapter=attempt.name, verdict=verdict)


def conclude(context: JobContext, job: Job, judged: Sequence[GatedAttempt]) -> TrainingResult:
    """How the job ended; a lesson that failed in all attempts goes into quarantine, for this base model.

    An attempt that could not be measured says nothing about the lesson, which may be handed over again.
    """
    last = judged[-1]
    reasons, full = "; ".join(last.verdict.reasons), False
    if last.verdict.passed:
        _tell(context, job, "done", message="all gates passed")
        return TrainingResult(status="candidate", adapter=last.adapter, reason="all gates passed")
    if last.verdict.measured:
        verdicts, made = [each.verdict for each in judged], context.registry.get(last.adapter)
        reasons, full = explain_rejection(verdicts, made, context.base.card, context.home / "outbox")
        why, base = f"{last.adapter}: {reasons}", context.base.card.digest
        context.registry.quarantine(job.digest, why, base=base)
    _tell(context, job, "done", message=reasons)
    return TrainingResult(status="rejected", adapter=last.adapter, reason=reasons, full=full)


def _as_learned(context: JobContext, job: Job, attempt: AttemptSpec) -> float | None:
    """How well the earlier lessons were known when each was learned, on average; None without any."""
    then = {
        made.curriculum: made.after.in_distribution.accuracy
        for made in context.registry.list(job.domain)
        if made.verdict.passed
    }
    found = [then[digest] for digest in attempt.rehearsed if digest in then]
    return sum(found) / len(found) if found else None


def _of_live(answer: GradedAnswer) -> GradedAnswer:
    """What the live adapter knows of what is to be forgotten is kept apart from what the base model knows."""
    return answer.model_copy(update={"group": "forgotten_live"}) if answer.group == "forgotten" else answer


class _Measured(Record):
    after: Evaluation
    answers: tuple[GradedAnswer, ...]
    files: Digest


def _examples(context: JobContext, job: Job, attempt: AttemptSpec) -> tuple[Example, ...]:
    """The new lesson with a rehearsal of the earlier ones, or all of them where training starts at the base;
    and what is trained beside them."""
    lesson, earlier = _lessons(context, job, attempt)
    if not attempt.goes_on:
        lesson, earlier = merge([*earlier, lesson]), ()
    pairs = lesson_examples(lesson, attempt.recipe, earlier=earlier)
    return (
        *pairs,
        *reading_examples(lesson, attempt.recipe, round(len(pairs) * attempt.recipe.reading)),
        *refusal_examples(context.base, attempt.recipe, round(len(pairs) * attempt.recipe.refusals)),
        *replay_examples(context.base, attempt.recipe),
        *distillation_examples(_baseline(context, job, attempt).held),
    )


def _lessons(
    context: JobContext, job: Job, attempt: AttemptSpec
) -> tuple[Curriculum, tuple[Curriculum, ...]]:
    """The job's curriculum, and the domain's earlier ones."""
    earlier = tuple(outbox.read(context.home / "outbox", digest) for digest in attempt.rehearsed)
    return outbox.read(context.home / "outbox", job.digest), earlier


def _still_there(context: JobContext, digests: Sequence[Digest]) -> tuple[Curriculum, ...]:
    """What can still be read of the curricula: one that is to be forgotten may well be lost or damaged, and
    then what is left of it is not measured."""
    found = []
    for digest in digests:
        try:
            found.append(outbox.read(context.home / "outbox", digest))
        except (UnknownRun, CorruptRecord) as error:
            log.warning("whether %s is forgotten cannot be measured: %s", digest[:12], error)
    return tuple(found)


def _baseline(context: JobContext, job: Job, attempt: AttemptSpec) -> Baseline:
    return Baseline.model_validate_json(_baseline_path(context, job, attempt).read_bytes())


def _baseline_path(context: JobContext, job: Job, attempt: AttemptSpec) -> Path:
    """The same for both attempts."""
    made_of = [attempt.rehearsed, attempt.left_out, attempt.live, *_asked_with(context)]
    return context.home / "jobs" / f"{job.digest[:16]}.{digest_of(made_of)[:8]}.json"


def _answers_path(context: JobContext) -> Path:
    """The base model's answers, for all lessons; another version of torch may round them otherwise."""
    version = metadata.version("torch").partition("+")[0]
    return context.home / "jobs" / f"answers-{context.base.card.digest[:16]}-torch{version}.jsonl"


def _folder(context: JobContext, attempt: AttemptSpec) -> Path:
    """Intermediate files, of this adapter by this recipe on this base only."""
    made_of = [attempt.model_dump(), *_asked_with(context)]
    return context.home / "jobs" / f"{attempt.name}.{digest_of(made_of)[:8]}"


def _asked_with(context: JobContext) -> list[object]:
    return [context.recipe.model_dump(), context.base.card.digest, context.question_counts.model_dump()]


def _adapter(context: JobContext, attempt: AttemptSpec) -> Path:
    return context.home / "adapters" / attempt.name


def _tell(
    context: JobContext, job: Job, phase: Phase, done: int = 0, total: int = 0, message: str = ""
) -> None:
    context.report(job.digest, Progress(phase=phase, done=done, total=total, message=message))


def _counter(context: JobContext, job: Job, total: int, message: str) -> Callable[[], None]:
    done = 0

    def counted() -> None:
        nonlocal done
        done += 1
        _tell(context, job, "measuring", done, total, message)

    return counted


def _flush(folder: Path) -> None:
    """Forces the folder's files to disk, so that a renamed folder is never an empty one after a crash."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())

"""The steps of a training job: plan, measure the base, train, measure the adapter, gate, conclude.

Each step takes the results of the steps before it and is safe to repeat. `worker` runs them, records their
results, and resumes after a crash.
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
from memory.outbox.approvals import check_approval
from memory.outbox.base import Phase, Progress, TrainingResult
from memory.records.adapters import Adapter
from memory.records.base import Digest, Domain, Record
from memory.records.curricula import Curriculum
from memory.records.evaluations import Evaluation, GateVerdict
from memory.records.runs import Job
from memory.signatures import FOLDER as KEYS
from memory.signatures import SigningKeys
from training.backends.base import Example, Trainer, TrainingSummary
from training.base_model import StudiedModel
from training.bias.measure import measure_bias
from training.cached_engine import CachedEngine
from training.calibration import fit_gate, gate_pass_rates
from training.dataset import lesson_examples, merge, reading_examples, validation_examples
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
from training.growth.levers import growth_examples
from training.recipes import Recipe, retry_recipe, sized_for_lesson, validated
from training.rejection import explain_rejection
from training.replay import distillation_examples, distillation_prompts, refusal_examples, replay_examples

log = logging.getLogger(__name__)


SPARE_TOKENS = 8
"""Answers for distillation are this much longer than needed: tokenized again, they may have fewer tokens."""
ATTEMPTS = 2
"""Attempts per lesson; after that its questions stay answered from sources."""


@dataclass(frozen=True)
class JobContext:
    """The dependencies of all jobs; built once by the worker."""

    home: Path
    base: StudiedModel
    recipe: Recipe
    question_counts: QuestionCounts
    thresholds: GateThresholds
    registry: MlflowAdapterRegistry
    train: Trainer
    open_engine: Callable[[], ScoringEngine]
    clock: Callable[[], datetime]
    report: Callable[[str, Progress], None]
    """Called with a job's id."""
    models: Path | None = None
    """Folder of the added models, for lessons that move from one of them; None where none do."""


class AttemptSpec(Record):
    """The plan of one attempt at a lesson."""

    name: str
    """Of the adapter to be trained."""
    version: int
    rehearsed: tuple[Digest, ...]
    """Earlier curricula that the adapter must not forget."""
    left_out: tuple[Digest, ...]
    """Earlier curricula that it is to forget."""
    live: str | None
    """The domain's live adapter, which knows all of these."""
    goes_on: bool
    """Whether training continues from the live adapter instead of starting at the base model."""
    preferences: tuple[Digest, ...] = ()
    """Preference sets that the live adapter's weights were trained on, if training continues from them."""
    recipe: Recipe

    def measured_like(self, other: "AttemptSpec") -> bool:
        """Whether both attempts have the same baseline."""
        return (self.rehearsed, self.left_out, self.live) == (other.rehearsed, other.left_out, other.live)


class GatedAttempt(Record):
    """One attempt's adapter and the verdict of its gates."""

    adapter: str
    verdict: GateVerdict


class Baseline(Record):
    """The evaluation before training, and the base model's answers for distillation."""

    sets: QuestionSets
    before: Evaluation
    answers: tuple[GradedAnswer, ...]
    held: tuple[tuple[str, str], ...]
    """Questions and the base model's answers, to be distilled."""


class AdapterEvaluation(Record):
    """The evaluation of the adapted model, and the digest of the adapter files that were evaluated."""

    after: Evaluation
    answers: tuple[GradedAnswer, ...]
    files: Digest


def plan_attempt(context: JobContext, job: Job, failed: GateVerdict | None = None) -> AttemptSpec:
    """Reads and checks the curriculum, and plans the attempt; `failed` is the verdict of the previous one.

    Lessons of the live adapter are left out if this curriculum supersedes them or they are in quarantine;
    training then starts at the base model, because the live adapter's weights contain them. So it does if a
    preference set of the live adapter is in quarantine, and its other preferences are then lost too. A live
    adapter of another base model is ignored, and its lessons have to be submitted again.
    Raises CurriculumRefused for a curriculum in quarantine, CorruptRecord for an altered one, and
    BadSignature for one whose approval is not signed.
    """
    report(context, job, "preparing", message="reading the curriculum")
    if job.growth is not None and job.growth.onto != context.base.card.digest:
        raise CurriculumRefused("this job is for another base model than the worker's")
    if (reason := context.registry.quarantined(job.digest)) is not None:
        raise CurriculumRefused(f"this curriculum is in quarantine: {reason}")
    require_approval(context, job)
    curriculum = outbox.read(context.home / "outbox", job.digest)
    if curriculum.domain != job.domain:
        raise CurriculumRefused(
            f"the job is for domain {job.domain!r}, but its curriculum is for {curriculum.domain!r}"
        )
    live = context.registry.live(job.domain)
    if live is not None and live.base_digest != context.base.card.digest:
        live = None
    earlier = [digest for digest in live.learned if digest != job.digest] if live else []
    left_out = tuple(
        digest
        for digest in earlier
        if digest in curriculum.supersedes or context.registry.quarantined(digest) is not None
    )
    first_recipe = sized_for_lesson(context.recipe, len(curriculum.facts))
    if curriculum.early_stop:
        first_recipe = validated(first_recipe)
    recipe = first_recipe if failed is None else retry_recipe(first_recipe, failed)
    same_recipe = live is not None and _lora_recipe(live) == context.recipe.name
    tainted = live is not None and any(map(context.registry.quarantined, live.preferences))
    goes_on = same_recipe and not left_out and not tainted
    version = context.registry.next_version(job.domain)
    return AttemptSpec(
        name=f"{job.domain}-v{version}-{job.digest[:8]}",
        version=version,
        rehearsed=tuple(digest for digest in earlier if digest not in left_out),
        left_out=left_out,
        live=live.name if live else None,
        goes_on=goes_on,
        preferences=live.preferences if live is not None and goes_on else (),
        recipe=recipe,
    )


def require_approval(context: JobContext, job: Job) -> None:
    """Raises BadSignature unless the approver signed an approval of what the job trains."""
    check_approval(SigningKeys(context.home / KEYS), context.home / "outbox", job.digest)


def measure_base(context: JobContext, job: Job, attempt: AttemptSpec) -> Baseline:
    """Evaluates the base model on all sets, and the live adapter on earlier lessons and those to forget."""
    lesson, earlier = _lessons(context, job, attempt)
    left_out = _readable(context, attempt.left_out)
    sets = evaluation_sets(
        lesson, context.base, context.question_counts, context.recipe, earlier=earlier, left_out=left_out
    )
    style, prompts = answer_style(context.base.card), distillation_prompts(context.base, context.recipe)

    async def answer() -> Baseline:
        engine = CachedEngine(context.open_engine(), answers_path(context))
        total = sets.count + len(sets.forgotten) + len(prompts)  # both models are asked the forgotten ones
        on_answer = progress_counter(context, job, total, "asking the base model")
        base_sets = sets.model_copy(update={"rehearsed": ()})
        measured, answers = await evaluate(engine, None, base_sets, style, on_answer=on_answer)
        short_style = style.model_copy(update={"tokens": context.recipe.longest + SPARE_TOKENS})
        replies = await ask(engine, prompts, short_style, on_answer=on_answer)
        if attempt.live is not None and (sets.rehearsed or sets.forgotten):
            await engine.load(attempt.live, context.registry.fetch(attempt.live))
            live_sets = sets.model_copy(
                update={"in_distribution": (), "out_of_distribution": (), "unknown": (), "attacked": ()}
            )
            _, live_answers = await evaluate(engine, attempt.live, live_sets, style, on_answer=on_answer)
            answers = (*answers, *(_as_live_answer(answer) for answer in live_answers))
        return Baseline(
            sets=sets,
            before=evaluation(answers, seconds=measured.seconds),
            answers=answers,
            held=tuple((prompt, reply.text) for prompt, reply in zip(prompts, replies, strict=True)),
        )

    return asyncio.run(answer())


def train(context: JobContext, job: Job, attempt: AttemptSpec, baseline: Baseline) -> TrainingSummary:
    """Trains the adapter in a hidden folder, which is renamed to the final one once it is complete."""
    final = adapter_folder(context, attempt.name)
    unfinished = final.with_name(f".{attempt.name}.unfinished")
    for leftover in (unfinished, final):
        shutil.rmtree(leftover, ignore_errors=True)
    unfinished.mkdir(parents=True)
    examples = _examples(context, job, attempt, baseline)
    report(context, job, "training", message=f"{len(examples)} examples")

    def on_progress(step: int, steps: int, loss: float) -> None:
        report(context, job, "training", step, steps, f"loss {loss:.3f}")

    start = context.registry.fetch(attempt.live) if attempt.live and attempt.goes_on else None
    summary = context.train(context.base, examples, attempt.recipe, unfinished, on_progress, start=start)
    flush(unfinished)
    unfinished.rename(final)
    return summary


def measure_adapter(
    context: JobContext, job: Job, attempt: AttemptSpec, baseline: Baseline
) -> AdapterEvaluation:
    """Evaluates the adapted model on the same questions.

    Raises EngineError for an adapter that cannot be loaded or used; its folder is removed, so that submitting
    the lesson again trains it again.
    """
    sets = baseline.sets
    base_answers = drift_answers(context.base, context.question_counts, context.recipe)
    folder, style = adapter_folder(context, attempt.name), answer_style(context.base.card)

    async def answer() -> tuple[Evaluation, tuple[GradedAnswer, ...]]:
        engine = context.open_engine()
        await engine.load(attempt.name, folder)
        total = sets.count + 2 * len(base_answers)
        on_answer = progress_counter(context, job, total, "asking the adapted model")
        after, answers = await evaluate(engine, attempt.name, sets, style, on_answer=on_answer)
        drift = await measure_drift(engine, attempt.name, base_answers, style, on_answer=on_answer)
        bias = await measure_bias(engine, attempt.name, bias_path(context), margin=context.thresholds.bias)
        return after.model_copy(update={"drift": drift, "bias": bias}), answers

    try:
        files = digest_of_files(folder)
        after, answers = asyncio.run(answer())
    except EngineUnavailable:
        raise
    except EngineError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return AdapterEvaluation(after=after, answers=answers, files=files)


def gate_adapter(
    context: JobContext,
    job: Job,
    attempt: AttemptSpec,
    baseline: Baseline,
    summary: TrainingSummary,
    measured: AdapterEvaluation,
) -> GatedAttempt:
    """Checks the adapter against the gates, and registers it as candidate or rejected."""
    report(context, job, "registering")
    as_learned = accuracy_when_learned(context, job.domain, attempt.rehearsed)
    verdict = gate(baseline.before, measured.after, context.thresholds, as_learned=as_learned)
    card = context.base.card
    fitted = fit_gate(measured.answers, card.gate)
    context.registry.register(
        Adapter(
            name=attempt.name,
            domain=job.domain,
            version=attempt.version,
            status="candidate" if verdict.passed else "rejected",
            path=str(adapter_folder(context, attempt.name)),
            files=measured.files,
            base_model=card.name,
            base_digest=card.digest,
            curriculum=job.digest,
            rehearsed=attempt.rehearsed,
            preferences=attempt.preferences,
            parent=attempt.live,
            recipe=attempt.recipe.name,
            gate=fitted,
            let_through=gate_pass_rates(measured.answers, fitted),
            before=baseline.before,
            after=measured.after,
            verdict=verdict,
            canary=choose_canary(baseline.answers, measured.answers),
            training_seconds=summary.seconds,
            training_tokens=summary.tokens,
            created_at=context.clock(),
        )
    )
    return GatedAttempt(adapter=attempt.name, verdict=verdict)


def conclude(context: JobContext, job: Job, attempts: Sequence[GatedAttempt]) -> TrainingResult:
    """The job's result; a lesson whose attempts all failed goes into quarantine for this base model.

    If the last attempt could not be measured, the lesson is not to blame and may be submitted again.
    """
    last = attempts[-1]
    reasons, full = "; ".join(last.verdict.reasons), False
    if last.verdict.passed:
        report(context, job, "done", message="all gates passed")
        return TrainingResult(status="candidate", adapter=last.adapter, reason="all gates passed")
    if last.verdict.measured:
        verdicts, rejected = [gated.verdict for gated in attempts], context.registry.get(last.adapter)
        reasons, full = explain_rejection(verdicts, rejected, context.base.card, context.home / "outbox")
        base = context.base.card.digest
        context.registry.quarantine(job.digest, f"{last.adapter}: {reasons}", base=base)
    report(context, job, "done", message=reasons)
    return TrainingResult(status="rejected", adapter=last.adapter, reason=reasons, full=full)


def accuracy_when_learned(context: JobContext, domain: Domain, lessons: Sequence[Digest]) -> float | None:
    """The mean accuracy of the lessons when each was learned; None without lessons."""
    accuracy = {
        adapter.curriculum: adapter.after.in_distribution.accuracy
        for adapter in context.registry.list(domain)
        if adapter.verdict.passed
    }
    earlier = [accuracy[digest] for digest in lessons if digest in accuracy]
    return sum(earlier) / len(earlier) if earlier else None


def _lora_recipe(adapter: Adapter) -> str:
    """The name of the recipe that shaped the adapter's LoRA; see `PreferenceRecipe.adapter_recipe`."""
    return adapter.recipe.partition("+")[0].partition(":")[0]


def _as_live_answer(answer: GradedAnswer) -> GradedAnswer:
    """Moves a `forgotten` answer of the live adapter into its own group, apart from the base model's."""
    return answer.model_copy(update={"group": "forgotten_live"}) if answer.group == "forgotten" else answer


def _examples(context: JobContext, job: Job, attempt: AttemptSpec, baseline: Baseline) -> tuple[Example, ...]:
    """The training examples: the lesson with rehearsal of earlier ones (or all of them merged, if training
    starts at the base model), and the examples that preserve the base model."""
    lesson, earlier = _lessons(context, job, attempt)
    if not attempt.goes_on:
        lesson, earlier = merge([*earlier, lesson]), ()
    pairs = lesson_examples(lesson, attempt.recipe, earlier=earlier)
    held_out = validation_examples(lesson, attempt.recipe) if attempt.recipe.validate_every else ()
    return (
        *pairs,
        *growth_examples(job, lesson, context.base, registry=context.registry, models=context.models),
        *held_out,
        *reading_examples(lesson, attempt.recipe, round(len(pairs) * attempt.recipe.reading)),
        *refusal_examples(context.base, attempt.recipe, round(len(pairs) * attempt.recipe.refusals)),
        *replay_examples(context.base, attempt.recipe),
        *distillation_examples(baseline.held),
    )


def _lessons(
    context: JobContext, job: Job, attempt: AttemptSpec
) -> tuple[Curriculum, tuple[Curriculum, ...]]:
    """The job's curriculum, and the earlier ones to rehearse."""
    earlier = tuple(outbox.read(context.home / "outbox", digest) for digest in attempt.rehearsed)
    return outbox.read(context.home / "outbox", job.digest), earlier


def _readable(context: JobContext, digests: Sequence[Digest]) -> tuple[Curriculum, ...]:
    """The curricula that can still be read. Those to be forgotten may be missing or damaged; whether they are
    forgotten is then not measured."""
    curricula = []
    for digest in digests:
        try:
            curricula.append(outbox.read(context.home / "outbox", digest))
        except (UnknownRun, CorruptRecord) as error:
            log.warning("cannot measure whether curriculum %s is forgotten: %s", digest[:12], error)
    return tuple(curricula)


def answers_path(context: JobContext) -> Path:
    """The base model's cached answers for all lessons; a file per torch version, since rounding differs."""
    version = metadata.version("torch").partition("+")[0]
    return context.home / "jobs" / f"answers-{context.base.card.digest[:16]}-torch{version}.jsonl"


def bias_path(context: JobContext) -> Path:
    """The base model's cached scores of the paired prompts; a file per torch version, as above."""
    answers = answers_path(context)
    return answers.with_name(f"bias-{answers.name.removeprefix('answers-')}").with_suffix(".json")


def adapter_folder(context: JobContext, name: str) -> Path:
    """The folder of an adapter that this worker trained."""
    return context.home / "adapters" / name


def report(
    context: JobContext, job: Job, phase: Phase, done: int = 0, total: int = 0, message: str = ""
) -> None:
    """Reports the job's progress."""
    context.report(job.id, Progress(phase=phase, done=done, total=total, message=message))


def progress_counter(context: JobContext, job: Job, total: int, message: str) -> Callable[[], None]:
    """A callback that reports one more answer of `total` on each call."""
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        report(context, job, "measuring", done, total, message)

    return count


def flush(folder: Path) -> None:
    """Syncs the folder's files to disk, so that they are complete when the folder is renamed."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())

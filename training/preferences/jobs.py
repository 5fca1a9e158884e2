"""The steps of a preference job: plan, measure the start, train, measure the adapter, gate, conclude.

They follow the steps of a lesson in `training.jobs` and share its parts. The adapter goes on from the
domain's live one, which stays as it is; where none is live, it starts as a fresh LoRA on the base model.
"""

import asyncio
import math
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.engines.adapter_files import digest_of_files
from agent.errors import EngineError, EngineUnavailable
from agent.feedback.safety import SafetyPrompt
from memory.adapters.base import promotion_blocker
from memory.outbox import files as outbox
from memory.outbox.base import TrainingResult
from memory.records.adapters import Adapter, Canary
from memory.records.base import Digest, Record
from memory.records.evaluations import Evaluation
from memory.records.feedback import Algorithm, PreferencePair, PreferenceSet
from memory.records.runs import Job
from training.backends.base import Example, TrainingSummary, single
from training.bias.measure import measure_bias
from training.cached_engine import CachedEngine
from training.calibration import fit_gate, gate_pass_rates
from training.dataset import draw_evenly
from training.errors import PreferencesRefused
from training.evaluate import (
    AnswerStyle,
    GradedAnswer,
    QuestionSets,
    SupportsChat,
    answer_style,
    ask,
    evaluate,
    evaluation,
    measure_drift,
)
from training.evaluation_questions import drift_answers, preservation_sets
from training.jobs import (
    SPARE_TOKENS,
    GatedAttempt,
    JobContext,
    accuracy_when_learned,
    adapter_folder,
    answers_path,
    bias_path,
    flush,
    progress_counter,
    report,
    require_approval,
)
from training.preferences.base import Beside, PreferenceTrainer
from training.preferences.evaluate import (
    CANARY_TOKENS,
    SAFETY_TOKENS,
    PairLikelihood,
    ProbedAnswer,
    choose_canary,
    likelihoods,
    preference_score,
    safety_score,
    share_changed,
)
from training.preferences.gates import PreferenceThresholds, gate_preferences
from training.preferences.recipes import PreferenceRecipe, gentler
from training.replay import distillation_examples, distillation_prompts, replay_examples

PROBES = 48
"""Prompts of training pairs that are asked before and after for the canary."""
HELD_OUT = 200
"""Most held-out pairs that are measured."""


@dataclass(frozen=True)
class PreferenceContext:
    """The dependencies of preference jobs, on top of those of all jobs."""

    jobs: JobContext
    recipe: Callable[[Algorithm], PreferenceRecipe]
    train: PreferenceTrainer
    thresholds: PreferenceThresholds
    safety: Sequence[SafetyPrompt]
    """The prompts that safety is measured on."""


class PreferencePlan(Record):
    """The plan of one preference job."""

    name: str
    """Of the adapter to be trained."""
    version: int
    start: str | None
    """The domain's live adapter, from which training goes on; None for the base model."""
    lessons: tuple[Digest, ...]
    """Curricula that the start has learned, which must not get lost."""
    preferences: tuple[Digest, ...]
    """Preference sets that the start was trained on, oldest first."""
    recipe: PreferenceRecipe


class StartMeasured(Record):
    """What the model that training starts from answers, and what the base model answers."""

    sets: QuestionSets
    before: Evaluation
    base: Evaluation
    """Of the base model, on general questions and those about invented names."""
    answers: tuple[GradedAnswer, ...]
    pairs: tuple[PairLikelihood, ...]
    """Of the held-out pairs."""
    probes: tuple[ProbedAnswer, ...]
    base_probes: tuple[ProbedAnswer, ...]
    base_safety: tuple[str, ...]
    """The base model's answers to the safety prompts."""
    held: tuple[tuple[str, str], ...]
    """Questions and the base model's answers, to be distilled."""


class AdapterMeasured(Record):
    """What the adapted model answers, and the digest of the adapter files that were measured."""

    after: Evaluation
    answers: tuple[GradedAnswer, ...]
    canary: Canary | None
    changed: float
    """Share of the probed answers that differ from the start's."""
    files: Digest


def plan(context: PreferenceContext, job: Job, *, again: bool = False) -> PreferencePlan:
    """Reads and checks the preference set, for the first attempt or `again` for a gentler one.

    Raises PreferencesRefused for a set in quarantine, of another domain or too small to measure, or on top of
    a live adapter whose weights contain something in quarantine; CorruptRecord for an altered set, and
    BadSignature for one whose approval is not signed.
    """
    jobs = context.jobs
    report(jobs, job, "preparing", message="reading the preference set")
    if (reason := jobs.registry.quarantined(job.digest)) is not None:
        raise PreferencesRefused(f"this preference set is in quarantine: {reason}")
    require_approval(jobs, job)
    preferences = outbox.read(jobs.home / "outbox", job.digest, PreferenceSet)
    if preferences.domain != job.domain:
        raise PreferencesRefused(
            f"the job is for domain {job.domain!r}, but its preferences are for {preferences.domain!r}"
        )
    if not preferences.held_out:
        raise PreferencesRefused(
            "the preference set has no held-out pairs to evaluate it with: build it from feedback on at least"
            " two prompts"
        )
    live = jobs.registry.live(job.domain)
    if live is not None and live.base_digest != jobs.base.card.digest:
        live = None
    if live is not None and (blocker := promotion_blocker(live, jobs.registry)) is not None:
        raise PreferencesRefused(
            f"training would go on from {live.name}, which must not go live again ({blocker}): forget the"
            " lesson (`nightschool adapters forget`) or roll the domain back first"
        )
    version, recipe = jobs.registry.next_version(job.domain), context.recipe(preferences.algorithm)
    return PreferencePlan(
        name=f"{job.domain}-v{version}-{job.digest[:8]}",
        version=version,
        start=live.name if live else None,
        lessons=live.learned if live else (),
        preferences=live.preferences if live else (),
        recipe=gentler(recipe) if again else recipe,
    )


def measure_start(context: PreferenceContext, job: Job, planned: PreferencePlan) -> StartMeasured:
    """Measures the model that training starts from, on everything that the adapter is measured on later."""
    jobs, recipe = context.jobs, planned.recipe.lesson
    preferences = outbox.read(jobs.home / "outbox", job.digest, PreferenceSet)
    lessons = [outbox.read(jobs.home / "outbox", digest) for digest in planned.lessons]
    sets = preservation_sets(lessons, jobs.base, jobs.question_counts, recipe)
    style, prompts = answer_style(jobs.base.card), distillation_prompts(jobs.base, recipe)
    held_out, probes = _held_out(preferences), _probe_prompts(preferences)
    questions = [prompt.text for prompt in context.safety]

    async def answer() -> StartMeasured:
        engine = jobs.open_engine()
        cached = CachedEngine(engine, answers_path(jobs))
        if planned.start is not None:
            await engine.load(planned.start, jobs.registry.fetch(planned.start))
        total = sets.count + len(prompts) + len(held_out) + 2 * len(probes) + 2 * len(questions)
        if planned.start is not None:
            total += sets.count - len(sets.rehearsed)
        count = progress_counter(jobs, job, total, "asking the model before training")
        measured, answers = await evaluate(cached, planned.start, sets, style, on_answer=count)
        base = measured
        if planned.start is not None:
            general = sets.model_copy(update={"rehearsed": ()})
            base, _ = await evaluate(cached, None, general, style, on_answer=count)
        short_style = style.model_copy(update={"tokens": recipe.longest + SPARE_TOKENS})
        replies = await ask(cached, prompts, short_style, on_answer=count)
        pairs = await likelihoods(engine, planned.start, held_out, on_answer=count)
        base_probes = await _probe(cached, None, probes, style, count)
        start_probes = await _probe(cached, planned.start, probes, style, count)
        base_safety = await _safety_answers(cached, None, questions, style, count)
        start_safety = await _safety_answers(cached, planned.start, questions, style, count)
        safety = safety_score(context.safety, start_safety, base_safety, style.declines)
        return StartMeasured(
            sets=sets,
            before=evaluation(answers, seconds=measured.seconds).model_copy(
                update={"preferences": preference_score(pairs), "safety": safety}
            ),
            base=base,
            answers=answers,
            pairs=pairs,
            probes=start_probes,
            base_probes=base_probes,
            base_safety=base_safety,
            held=tuple((prompt, reply.text) for prompt, reply in zip(prompts, replies, strict=True)),
        )

    return asyncio.run(answer())


def train(
    context: PreferenceContext, job: Job, planned: PreferencePlan, start: StartMeasured
) -> TrainingSummary:
    """Trains the adapter in a hidden folder, which is renamed to the final one once it is complete."""
    jobs = context.jobs
    final = adapter_folder(jobs, planned.name)
    unfinished = final.with_name(f".{planned.name}.unfinished")
    for leftover in (unfinished, final):
        shutil.rmtree(leftover, ignore_errors=True)
    unfinished.mkdir(parents=True)
    pairs = outbox.read(jobs.home / "outbox", job.digest, PreferenceSet).pairs
    report(jobs, job, "training", message=f"{len(pairs)} pairs, {planned.recipe.name}")

    def on_progress(step: int, steps: int, loss: float) -> None:
        report(jobs, job, "training", step, steps, f"loss {loss:.3f}")

    folder = jobs.registry.fetch(planned.start) if planned.start else None
    beside = Beside(
        replay=(*replay_examples(jobs.base, planned.recipe.lesson), *distillation_examples(start.held)),
        lessons=_rehearsed(context, planned),
    )
    summary = context.train(jobs.base, pairs, beside, planned.recipe, unfinished, on_progress, start=folder)
    flush(unfinished)
    unfinished.rename(final)
    return summary


def measure_adapter(
    context: PreferenceContext, job: Job, planned: PreferencePlan, start: StartMeasured
) -> AdapterMeasured:
    """Measures the adapted model on the same questions.

    Raises EngineError for an adapter that cannot be loaded or used; its folder is removed, so that submitting
    the set again trains it again.
    """
    jobs, style = context.jobs, answer_style(context.jobs.base.card)
    preferences = outbox.read(jobs.home / "outbox", job.digest, PreferenceSet)
    held_out, questions = _held_out(preferences), [prompt.text for prompt in context.safety]
    base_answers = drift_answers(jobs.base, jobs.question_counts, planned.recipe.lesson)
    folder, name = adapter_folder(jobs, planned.name), planned.name
    prompts = [probe.prompt for probe in start.probes]

    async def answer(files: Digest) -> AdapterMeasured:
        engine = jobs.open_engine()
        await engine.load(name, folder)
        total = start.sets.count + 2 * len(base_answers) + len(held_out) + len(prompts) + len(questions)
        count = progress_counter(jobs, job, total, "asking the adapted model")
        measured, answers = await evaluate(engine, name, start.sets, style, on_answer=count)
        drift = await measure_drift(engine, name, base_answers, style, on_answer=count)
        pairs = await likelihoods(engine, name, held_out, on_answer=count)
        bias = await measure_bias(engine, name, bias_path(jobs), margin=context.thresholds.lessons.bias)
        probes = await _probe(engine, name, prompts, style, count)
        safe = await _safety_answers(engine, name, questions, style, count)
        return AdapterMeasured(
            after=measured.model_copy(
                update={
                    "drift": drift,
                    "bias": bias,
                    "preferences": preference_score(pairs, start.pairs),
                    "safety": safety_score(context.safety, safe, start.base_safety, style.declines),
                }
            ),
            answers=answers,
            canary=choose_canary(probes, start.probes, start.base_probes),
            changed=share_changed(probes, start.probes),
            files=files,
        )

    try:
        return asyncio.run(answer(digest_of_files(folder)))
    except EngineUnavailable:
        raise
    except EngineError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def gate_adapter(
    context: PreferenceContext,
    job: Job,
    planned: PreferencePlan,
    start: StartMeasured,
    summary: TrainingSummary,
    measured: AdapterMeasured,
) -> GatedAttempt:
    """Checks the adapter against the gates, and registers it as candidate or rejected.

    Its answer gate is fitted on the card's questions as it answers them, and those of the lessons it knows.
    It promises what the start's gate promises: preferences teach manners, not facts, and a stricter promise
    would decline questions that the start answers.
    """
    jobs = context.jobs
    report(jobs, job, "registering")
    verdict = gate_preferences(
        start.before,
        measured.after,
        context.thresholds,
        base=start.base,
        canary=measured.canary,
        changed=measured.changed,
        as_learned=accuracy_when_learned(jobs, job.domain, planned.lessons),
    )
    card = jobs.base.card
    promised = card.gate if planned.start is None else jobs.registry.get(planned.start).gate
    fitted = fit_gate(measured.answers, card.gate, risks=(promised.risk,))
    jobs.registry.register(
        Adapter(
            name=planned.name,
            domain=job.domain,
            version=planned.version,
            status="candidate" if verdict.passed else "rejected",
            path=str(adapter_folder(jobs, planned.name)),
            files=measured.files,
            base_model=card.name,
            base_digest=card.digest,
            rehearsed=planned.lessons,
            preferences=(*planned.preferences, job.digest),
            parent=planned.start,
            recipe=planned.recipe.adapter_recipe,
            gate=fitted,
            let_through=gate_pass_rates(measured.answers, fitted, group="out_of_distribution"),
            before=start.before,
            after=measured.after,
            verdict=verdict,
            canary=measured.canary,
            training_seconds=summary.seconds,
            training_tokens=summary.tokens,
            created_at=jobs.clock(),
        )
    )
    return GatedAttempt(adapter=planned.name, verdict=verdict)


def conclude(context: PreferenceContext, job: Job, gated: GatedAttempt) -> TrainingResult:
    """The job's result; a set whose last adapter failed a gate goes into quarantine for this base model.

    If a check could not be measured, the set is not to blame and may be submitted again.
    """
    jobs, reasons = context.jobs, "; ".join(gated.verdict.reasons)
    if gated.verdict.passed:
        report(jobs, job, "done", message="all gates passed")
        return TrainingResult(status="candidate", adapter=gated.adapter, reason="all gates passed")
    if gated.verdict.measured:
        base = jobs.base.card.digest
        jobs.registry.quarantine(job.digest, f"{gated.adapter}: {reasons}", base=base)
    report(jobs, job, "done", message=reasons)
    return TrainingResult(status="rejected", adapter=gated.adapter, reason=reasons)


def _held_out(preferences: PreferenceSet) -> list[PreferencePair]:
    """The held-out pairs that are measured: all, or a seeded sample."""
    pairs = list(preferences.held_out)
    return pairs if len(pairs) <= HELD_OUT else random.Random(preferences.digest).sample(pairs, HELD_OUT)


def _probe_prompts(preferences: PreferenceSet) -> list[str]:
    """Single-turn prompts of the pairs, whose answers training changes first."""
    prompts = dict.fromkeys(
        pair.question for pair in preferences.pairs if len(pair.messages) == 1
    ) or dict.fromkeys(pair.question for pair in preferences.pairs)
    chosen = list(prompts)
    return chosen if len(chosen) <= PROBES else random.Random(preferences.digest).sample(chosen, PROBES)


async def _probe(
    engine: SupportsChat,
    adapter: str | None,
    prompts: Sequence[str],
    style: AnswerStyle,
    on_answer: Callable[[], None],
) -> tuple[ProbedAnswer, ...]:
    longer = style.model_copy(update={"tokens": CANARY_TOKENS})
    replies = await ask(engine, prompts, longer, adapter=adapter, on_answer=on_answer)
    return tuple(
        ProbedAnswer(
            prompt=prompt,
            text=reply.text,
            complete=reply.finish_reason == "stop",
            probability=math.exp(min((token.logprob for token in reply.tokens), default=-math.inf)),
        )
        for prompt, reply in zip(prompts, replies, strict=True)
    )


async def _safety_answers(
    engine: SupportsChat,
    adapter: str | None,
    prompts: Sequence[str],
    style: AnswerStyle,
    on_answer: Callable[[], None],
) -> tuple[str, ...]:
    longer = style.model_copy(update={"tokens": SAFETY_TOKENS})
    return tuple(
        reply.text for reply in await ask(engine, prompts, longer, adapter=adapter, on_answer=on_answer)
    )


def _rehearsed(context: PreferenceContext, planned: PreferencePlan) -> tuple[Example, ...]:
    """Questions of the start's lessons, drawn evenly."""
    folder = context.jobs.home / "outbox"
    pairs = [pair for digest in planned.lessons for pair in outbox.read(folder, digest).pairs]
    rng = random.Random(f"rehearsed {planned.recipe.lesson.seed}")
    drawn = draw_evenly(pairs, min(planned.recipe.rehearsed, len(pairs)), rng)
    return tuple(single(pair.question, pair.answer) for pair in drawn)

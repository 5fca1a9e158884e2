"""Measures one text: teaches it through the product with one variant, and asks its questions."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from agent.engines.local import LocalEngine
from agent.errors import AgentError
from agent.models.store import AddedModel
from benchmarks.learning.data import Question, Text
from benchmarks.learning.parts import Trial
from benchmarks.learning.product import (
    PASSAGE_PROMPTS,
    InlineTrainer,
    Product,
    merge_responses,
    open_product,
)
from benchmarks.learning.records import Condition, LessonResult, Measurement, Response
from benchmarks.learning.variants import VARIANTS
from graphs.state import LearnState, Limits
from memory.adapters.mlflow import MlflowAdapterRegistry
from memory.errors import StorageError
from memory.outbox import files as outbox
from memory.outbox.base import Progress
from memory.records.adapters import Adapter
from training.backends import peft
from training.base_model import StudiedModel, evaluation_split, open_base_model
from training.errors import TrainingError
from training.gates import GateThresholds
from training.jobs import JobContext
from training.recipes import standard

INVENTED_QUESTIONS = 30
"""Questions about invented names, asked of the base model and of the adapter."""


class Bench:
    """A base model, and the home folder of the adapters that are trained on it."""

    def __init__(self, model: AddedModel, home: Path) -> None:
        self.base: StudiedModel = open_base_model(model.folder)
        self._home = home.resolve()
        self._registry = MlflowAdapterRegistry(self._home, base=self.base.card.digest)

    def measure(
        self,
        trial: Trial,
        text: Text,
        *,
        product: Measurement | None = None,
        previous: Measurement | None = None,
    ) -> Measurement:
        """Teaches the text and asks its questions; errors are recorded in the measurement.

        `product` is the product's measurement of the same text. `previous` is the preceding lesson of a
        sequence; training continues from its adapter.
        """
        started = time.monotonic()
        try:
            measurement = asyncio.run(self._measure(trial, text, product, previous))
        except (TrainingError, StorageError, AgentError, ValueError) as error:
            measurement = Measurement(part=trial.part.name, text=text.name, seconds=0.0, failed=str(error))
        identity = {"variant": trial.variant, "seed": trial.seed}
        return measurement.model_copy(update=identity | {"seconds": time.monotonic() - started})

    async def _measure(
        self, trial: Trial, text: Text, product: Measurement | None, previous: Measurement | None
    ) -> Measurement:
        part, domain = trial.part, domain_of(trial, text)
        self._reset(domain, previous)
        existing = {adapter.name for adapter in self._registry.list(domain)}
        context = self._context(trial)
        trainer = InlineTrainer(
            context,
            VARIANTS[trial.variant],
            passages=text.passages,
            attempts=min(part.attempts, VARIANTS[trial.variant].attempts),
            product_adapter=Path(product.lesson.path) if product and product.lesson else None,
            bare_steps=part.bare_steps if trial.variant == "product" else 0,
        )
        limits = Limits(facts_per_run=part.max_facts) if part.max_facts else Limits()
        library = self._home / "library"
        async with open_product(context, trainer, library, limits) as opened:
            started = time.monotonic()
            await opened.ingest(text, domain)
            state = await opened.learn(text, domain)
            seconds = time.monotonic() - started - trainer.measuring_seconds
            trained = [adapter for adapter in self._registry.list(domain) if adapter.name not in existing]
            failures = [result.reason for result in trainer.results.values() if result.status == "failed"]
            if failures:
                raise ValueError(failures[-1])
            adapter = self._registry.live(domain) or (trained[-1] if trained else None)
            if adapter is None:
                raise ValueError(f"nothing was taught: {state['outcome'].reason}")
            lesson = self._lesson_result(adapter, trained or [adapter], state, text, trainer, seconds)
            results = merge_responses(*await self._responses(opened, trial, text, adapter))
        return Measurement(
            part=part.name,
            text=text.name,
            seconds=0.0,
            lesson=lesson,
            results=results,
            note=state["outcome"].reason,
        )

    async def _responses(
        self, product: Product, trial: Trial, text: Text, adapter: Adapter
    ) -> tuple[
        tuple[Question, ...], Sequence[dict[Condition, Response]], Sequence[dict[Condition, Response]]
    ]:
        """The questions, the responses without sources, and those with sources to a sample of them."""
        names = evaluation_split(self.base.unknown, standard(self.base.card).asked)[:INVENTED_QUESTIONS]
        invented = [Question(text=name.wordings[0], kind="invented") for name in names]
        questions = (*text.questions, *invented)
        plain = await product.ask(questions, adapter, ("base", "adapter", *PASSAGE_PROMPTS))
        with_sources: list[dict[Condition, Response]] = [{} for _ in questions]
        limit = trial.part.sourced_questions if trial.variant == "product" else 0
        indices = _sample_for_sources(text.questions, limit)
        if indices:
            sample = [questions[n] for n in indices]
            is_live = adapter.domain in product.runtime.routes.live
            by_base = await product.chat(sample, "nightschool")
            by_adapter = await product.chat(sample, adapter.domain) if is_live else by_base
            for n, base_response, adapter_response in zip(indices, by_base, by_adapter, strict=True):
                with_sources[n] = {
                    "base with sources": base_response,
                    "adapter with sources": adapter_response,
                }
        return questions, plain, with_sources

    def _lesson_result(
        self,
        adapter: Adapter,
        trained: Sequence[Adapter],
        state: LearnState,
        text: Text,
        trainer: InlineTrainer,
        seconds: float,
    ) -> LessonResult:
        digests = dict.fromkeys(each.curriculum for each in trained if each.curriculum is not None)
        facts = sum(len(outbox.read(self._home / "outbox", digest).facts) for digest in digests)
        return LessonResult(
            passages=len(text.passages),
            facts=facts,
            lessons=len(trained),
            tokens=sum(each.training_tokens for each in trained),
            seconds=seconds,
            bare_seconds=trainer.bare_seconds,
            dropped=state.get("dropped", {}),
            adapter=adapter.name,
            path=adapter.path,
            recipe=adapter.recipe,
            before=adapter.before,
            after=adapter.after,
            passed=adapter.verdict.passed,
            reasons=adapter.verdict.reasons,
        )

    def _context(self, trial: Trial) -> JobContext:
        changes: dict[str, int] = {"seed": trial.seed}
        if trial.part.replay_questions is not None:
            changes["known"] = trial.part.replay_questions
        return JobContext(
            home=self._home,
            base=self.base,
            recipe=standard(self.base.card).model_copy(update=changes),
            question_counts=trial.part.question_counts,
            thresholds=GateThresholds(),
            registry=self._registry,
            train=peft.train,  # replaced by the variant's trainer for each job
            open_engine=lambda: LocalEngine.open(self.base.folder, self.base.card.template),
            clock=lambda: datetime.now(UTC),
            report=_progress_printer(),
        )

    def _reset(self, domain: str, previous: Measurement | None) -> None:
        """Resets the domain's live adapter to that of the previous lesson, or to none."""
        self._registry.retire(domain)
        if previous is not None and previous.lesson is not None and previous.lesson.passed:
            self._registry.promote(previous.lesson.adapter)


def domain_of(trial: Trial, text: Text) -> str:
    """A separate domain for each text, variant and seed, so that only sequences rehearse earlier lessons."""
    suffix = "" if trial.variant == "product" else f"-{trial.variant}"
    return f"{text.domain or text.name}-s{trial.seed}{suffix}"[:40].strip("-")


def _sample_for_sources(questions: Sequence[Question], limit: int) -> list[int]:
    """Indices of at most `limit` evenly spaced `own` questions, and of all unanswerable ones."""
    if not limit:
        return []
    own = [n for n, question in enumerate(questions) if question.kind == "own"]
    unanswerable = [n for n, question in enumerate(questions) if question.kind == "unanswerable"]
    count = min(limit, len(own))
    return [*(own[i * len(own) // count] for i in range(count)), *unanswerable]


def _progress_printer() -> Callable[[str, Progress], None]:
    """Prints each new phase, and every 50th step within it."""
    last_phase = ""

    def show(digest: str, progress: Progress) -> None:
        nonlocal last_phase
        if progress.phase != last_phase or (progress.total and progress.done % 50 == 0):
            print(f"  {progress.phase} {progress.done}/{progress.total} {progress.message}", flush=True)
            last_phase = progress.phase

    return show

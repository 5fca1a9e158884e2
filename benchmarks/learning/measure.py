"""One text, taught through the product in one way, and everything that is asked before and after."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from agent.engines.local import LocalEngine
from agent.errors import AgentError
from agent.models.store import AddedModel
from benchmarks.learning.data import Asked, Text
from benchmarks.learning.parts import Lot
from benchmarks.learning.product import PROMPTS, InlineTrainer, Product, merged, open_product
from benchmarks.learning.records import Lesson, Measured, Said, Way
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

INVENTED = 30
"""Questions about invented names that are put to the gate before and after."""


class Bench:
    """A base model and a home in which its adapters are made, whatever the text."""

    def __init__(self, model: AddedModel, home: Path) -> None:
        self.base: StudiedModel = open_base_model(model.folder)
        self._home = home.resolve()
        self._registry = MlflowAdapterRegistry(self._home, base=self.base.card.digest)

    def measure(
        self, lot: Lot, text: Text, *, product: Measured | None = None, previous: Measured | None = None
    ) -> Measured:
        """Teaches and asks. `product` is what the product made of the same text; `previous` the lesson before
        it in a sequence, on top of whose adapter this one is trained."""
        started = time.monotonic()
        try:
            measured = asyncio.run(self._measure(lot, text, product, previous))
        except (TrainingError, StorageError, AgentError, ValueError) as error:
            measured = Measured(part=lot.part.name, text=text.name, seconds=0.0, failed=str(error))
        changed = {"variant": lot.variant, "seed": lot.seed, "seconds": time.monotonic() - started}
        return measured.model_copy(update=changed)

    async def _measure(
        self, lot: Lot, text: Text, product: Measured | None, previous: Measured | None
    ) -> Measured:
        part, domain = lot.part, domain_of(lot, text)
        self._reset(domain, previous)
        known = {adapter.name for adapter in self._registry.list(domain)}
        context = self._context(lot)
        trainer = InlineTrainer(
            context,
            VARIANTS[lot.variant],
            passages=text.passages,
            attempts=min(part.attempts, VARIANTS[lot.variant].attempts),
            earlier=Path(product.lesson.path) if product and product.lesson else None,
            bare_steps=part.bare_steps if lot.variant == "product" else 0,
        )
        limits = Limits(facts_per_run=part.facts) if part.facts else Limits()
        library = self._home / "library"
        async with open_product(context, trainer, library, limits) as opened:
            started = time.monotonic()
            await opened.read(text, domain)
            state = await opened.learn(text, domain)
            seconds = time.monotonic() - started - trainer.measuring
            made = [adapter for adapter in self._registry.list(domain) if adapter.name not in known]
            failed = [result.reason for result in trainer.results.values() if result.status == "failed"]
            if failed:
                raise ValueError(failed[-1])
            adapter = self._registry.live(domain) or (made[-1] if made else None)
            if adapter is None:
                raise ValueError(f"nothing was taught: {state['outcome'].reason}")
            lesson = self._lesson(adapter, made or [adapter], state, text, trainer, seconds)
            answered = merged(*await self._answers(opened, lot, text, adapter))
        return Measured(
            part=part.name,
            text=text.name,
            seconds=0.0,
            lesson=lesson,
            answered=answered,
            note=state["outcome"].reason,
        )

    async def _answers(
        self, product: Product, lot: Lot, text: Text, adapter: Adapter
    ) -> tuple[tuple[Asked, ...], Sequence[dict[Way, Said]], Sequence[dict[Way, Said]]]:
        """The questions, their answers without sources, and those with them for some of the questions."""
        names = evaluation_split(self.base.unknown, standard(self.base.card).asked)[:INVENTED]
        invented = [Asked(text=name.wordings[0], kind="invented") for name in names]
        questions = (*text.questions, *invented)
        plain = await product.ask(questions, adapter, ("base", "adapter", *PROMPTS))
        sourced: list[dict[Way, Said]] = [{} for _ in questions]
        chosen = _spread(text.questions, lot.part.sourced if lot.variant == "product" else 0)
        if chosen:
            live = adapter.domain in product.runtime.routes.live
            alone = await product.consult([questions[n] for n in chosen], "nightschool")
            over = await product.consult([questions[n] for n in chosen], adapter.domain) if live else alone
            for number, without, with_it in zip(chosen, alone, over, strict=True):
                sourced[number] = {"base with sources": without, "adapter with sources": with_it}
        return questions, plain, sourced

    def _lesson(
        self,
        adapter: Adapter,
        made: Sequence[Adapter],
        state: LearnState,
        text: Text,
        trainer: InlineTrainer,
        seconds: float,
    ) -> Lesson:
        digests = dict.fromkeys(each.curriculum for each in made)
        facts = sum(len(outbox.read(self._home / "outbox", digest).facts) for digest in digests)
        return Lesson(
            passages=len(text.passages),
            facts=facts,
            lessons=len(made),
            tokens=sum(each.training_tokens for each in made),
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

    def _context(self, lot: Lot) -> JobContext:
        changed: dict[str, int] = {"seed": lot.seed}
        if lot.part.known is not None:
            changed["known"] = lot.part.known
        return JobContext(
            home=self._home,
            base=self.base,
            recipe=standard(self.base.card).model_copy(update=changed),
            question_counts=lot.part.sizes,
            thresholds=GateThresholds(),
            registry=self._registry,
            train=peft.train,  # each job gets its variant's
            open_engine=lambda: LocalEngine.open(self.base.folder, self.base.card.template),
            clock=lambda: datetime.now(UTC),
            report=_show(),
        )

    def _reset(self, domain: str, previous: Measured | None) -> None:
        """Puts the domain back to where the lesson begins, whatever an interrupted run left."""
        self._registry.retire(domain)
        if previous is not None and previous.lesson is not None and previous.lesson.passed:
            self._registry.promote(previous.lesson.adapter)


def domain_of(lot: Lot, text: Text) -> str:
    """Of its own for each text, variant and seed: no lesson rehearses another, but in a sequence."""
    end = "" if lot.variant == "product" else f"-{lot.variant}"
    return f"{text.domain or text.name}-s{lot.seed}{end}"[:40].strip("-")


def _spread(questions: Sequence[Asked], most: int) -> list[int]:
    """Which of the questions are asked with sources: some about the text, evenly over them, and all that
    cannot be answered."""
    if not most:
        return []
    own = [n for n, question in enumerate(questions) if question.kind == "own"]
    strange = [n for n, question in enumerate(questions) if question.kind == "unanswerable"]
    count = min(most, len(own))
    return [*(own[i * len(own) // count] for i in range(count)), *strange]


def _show() -> Callable[[str, Progress], None]:
    last = [""]

    def show(digest: str, progress: Progress) -> None:
        line = f"  {progress.phase}"
        if line != last[0] or (progress.total and progress.done % 50 == 0):
            print(f"{line} {progress.done}/{progress.total} {progress.message}", flush=True)
            last[0] = line

    return show

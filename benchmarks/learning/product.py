"""The product in one process, as `benchmarks.learning` uses it: ingest, the learn graph, the worker's steps,
gates, registry, and chat with sources.

Only the servers are left out: the engine is the in-process one, and jobs are trained where they are handed
over.
"""

import asyncio
import itertools
import shutil
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

from langchain_core.messages import HumanMessage

from agent.chat.gate import JUDGED_TOKENS, measure_uncertainty
from agent.chat.routing import DEFAULT_DOMAIN, Route, Routes
from agent.concurrency import gather_limited
from agent.engines.base import Sampling
from agent.engines.local import LocalEngine
from agent.grading import admits_ignorance
from benchmarks.learning.data import Asked, Text
from benchmarks.learning.loops import seconds_of_bare_loop
from benchmarks.learning.records import Answered, Said, Way
from benchmarks.learning.variants import Material, Variant
from graphs import chat as chatting
from graphs import learn
from graphs.state import NO_OWN_LIMITS, LearnState, Limits, Runtime
from memory.adapters.mlflow import MlflowAdapterRegistry
from memory.database.database import open_database
from memory.embedding.embedder import SentenceEmbedder
from memory.episodic.lance import LanceEpisodicMemory
from memory.ingest.pipeline import ingest
from memory.outbox import files as outbox
from memory.outbox.base import Progress, TrainingResult
from memory.records.adapters import Adapter
from memory.records.base import Digest
from memory.records.curricula import Curriculum
from memory.records.interactions import AnswerGate
from memory.records.knowledge import Passage
from memory.records.runs import Job
from memory.semantic.volatile import VolatileSemanticMemory
from training import worker
from training.base_model import StudiedModel
from training.cached_engine import CachedEngine
from training.evaluate import ANSWER_TOKENS
from training.jobs import JobContext

AT_ONCE = 64
"""Questions under way at once without sources."""
CHATS = 16
"""Chats under way at once."""
FOREVER = 1e6
"""Seconds: what takes long is measured, not broken off."""
STEPS = 400
"""Graph steps of one learn run, whatever its number of lessons."""
PROMPTS: dict[Way, str] = {
    "read plainly": "{passage}\n\n{question}",
    "read as told": "Read the text and answer the question in a few words.\n\nText: {passage}\n\n"
    "Question: {question}",
}
"""Naive prompts for a model that reads; the better one counts."""


@dataclass
class InlineTrainer:
    """An outbox whose jobs are trained at once by the worker's own steps, with a variant's trainer."""

    context: JobContext
    variant: Variant
    passages: Sequence[Passage]
    attempts: int
    earlier: Path | None = None
    """The product's adapter for the same text, where there is one."""
    bare_steps: int = 0
    """Steps for which the bare loop is timed beside each training; none by default."""
    measuring: float = 0.0
    """Seconds so far that only measured something."""
    bare_seconds: float | None = None
    results: dict[Digest, TrainingResult] = field(default_factory=dict)

    async def publish(self, curriculum: Curriculum) -> Digest:
        """See Outbox.publish."""
        return await asyncio.to_thread(outbox.publish, self.context.home / "outbox", curriculum)

    async def submit(self, curriculum: Curriculum, *, run_id: str) -> Job:
        """See Outbox.submit; returns once the job has ended."""
        digest = await self.publish(curriculum)
        job = Job(digest=digest, domain=curriculum.domain, run_id=run_id)
        if digest not in self.results:
            self.results[digest] = await asyncio.to_thread(self._train, job, curriculum)
        return job

    async def curriculum(self, digest: Digest) -> Curriculum:
        """See Outbox.curriculum."""
        return await asyncio.to_thread(outbox.read, self.context.home / "outbox", digest)

    async def progress(self, digest: Digest) -> Progress:
        """See Outbox.progress."""
        return Progress(phase="done")

    async def result(self, digest: Digest) -> TrainingResult | None:
        """See Outbox.result."""
        return self.results.get(digest)

    def _train(self, job: Job, curriculum: Curriculum) -> TrainingResult:
        material = Material(passages=self.passages, curriculum=curriculum, product=self.earlier)
        recipe = self.variant.recipe(self.context.recipe)
        if self.variant.afresh:  # another recipe's adapter is not gone on from
            recipe = recipe.model_copy(update={"name": f"{recipe.name}-{job.digest[:6]}"})
        context = replace(self.context, recipe=recipe, train=self._timed(self.variant.trainer(material)))
        if self.attempts > 1:
            return worker.run(context, job, self._step)
        gated = worker.run_attempt(context, job, self._step).gated
        status = "candidate" if gated.verdict.passed else "rejected"
        return TrainingResult(
            status=status, adapter=gated.adapter, reason="; ".join(gated.verdict.reasons) or "passed"
        )

    def _step(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        started = time.monotonic()
        try:
            return work()
        finally:
            if name.startswith("measure"):
                self.measuring += time.monotonic() - started

    def _timed(self, train: Any) -> Any:
        """The trainer, with the bare loop timed after it."""
        if not self.bare_steps:
            return train

        def both(
            base: StudiedModel, examples: Any, recipe: Any, out: Path, on_progress: Any, **more: Any
        ) -> Any:
            summary = train(base, examples, recipe, out, on_progress, **more)
            started = time.monotonic()
            rate = seconds_of_bare_loop(base, examples, recipe, steps=self.bare_steps)
            self.bare_seconds = (self.bare_seconds or 0.0) + rate * summary.tokens
            self.measuring += time.monotonic() - started
            return summary

        return both


@dataclass
class Product:
    """A library with everything that learns from it and answers from it."""

    runtime: Runtime
    trainer: InlineTrainer
    engine: LocalEngine
    base: StudiedModel
    registry: MlflowAdapterRegistry
    answers: Path
    """The base model's answers, from text to text."""

    async def read(self, text: Text, domain: str) -> None:
        """Takes the text's documents into the library."""
        given = self.runtime
        report = await ingest(text.documents, domain=domain, episodic=given.episodic, semantic=given.semantic)
        for failure in report.failed:
            print(f"not read: {failure.source}: {failure.reason}", flush=True)

    async def learn(self, text: Text, domain: str) -> LearnState:
        """Runs the learn graph on the documents to be taught; how it ended."""
        short = self.base.card.model_copy(update={"answer_tokens": JUDGED_TOKENS})
        given = replace(self.runtime, card=short)  # no more of the first attempt's answers is judged
        run_id, now = given.new_id(), given.clock()
        await given.database.start_run(
            run_id, subject=text.topic, whole=True, domain=domain, gap_id=None, now=now
        )
        start: LearnState = {
            "run_id": run_id,
            "subject": text.topic,
            "whole": True,
            "domain": domain,
            "gap_id": None,
            "approval_policy": "auto",
            "working_since": now,
            "sources": text.taught,
            "questions": (),
            "bounds": NO_OWN_LIMITS,
        }
        graph = learn.build(given.limits).compile()
        ended = await graph.ainvoke(start, {"recursion_limit": STEPS}, context=given)
        return cast(LearnState, ended)

    async def ask(
        self, questions: Sequence[Asked], adapter: Adapter | None, ways: Sequence[Way]
    ) -> tuple[dict[Way, Said], ...]:
        """Each question's answers in each way but those with sources."""
        card = self.base.card
        remembering = CachedEngine(self.engine, self.answers)
        if adapter is not None:
            await self.engine.load(adapter.name, Path(adapter.path))

        async def one(question: Asked, way: Way) -> Said:
            named = adapter if way == "adapter" else None
            gate: AnswerGate = named.gate if named else card.gate
            prompt = PROMPTS.get(way, "{question}").format(passage=question.passage, question=question.text)
            reply = await remembering.chat(
                [HumanMessage(prompt)],
                adapter=named.name if named else None,
                sampling=Sampling(max_tokens=ANSWER_TOKENS),
            )
            seen = measure_uncertainty(
                reply.tokens, gate, abstained=admits_ignorance(reply.text, card.declines)
            )
            confident = seen.decision == "confident"
            return Said(text=reply.text, confident=confident, chance=seen.confidence)

        puts = [(n, way) for way in ways for n, q in enumerate(questions) if way not in PROMPTS or q.passage]
        said = await gather_limited((partial(one, questions[n], way) for n, way in puts), AT_ONCE)
        found: list[dict[Way, Said]] = [{} for _ in questions]
        for (number, way), answer in zip(puts, said, strict=True):
            found[number][way] = answer
        return tuple(found)

    async def consult(self, questions: Sequence[Asked], model: str) -> tuple[Said, ...]:
        """Each question's answer by the product's chat, with the library; `model` is as clients name it."""
        graph = chatting.build().compile()
        await self.runtime.routes.refresh()

        async def one(question: Asked) -> Said:
            start = chatting.initial_state([HumanMessage(question.text)], requested=model)
            turn = await chatting.chat(graph, self.runtime, start)
            return Said(
                text=turn.answer,
                quotes=" ".join(citation.quote for citation in turn.citations),
                confident=turn.outcome != "abstained",
            )

        return tuple(await gather_limited((partial(one, question) for question in questions), CHATS))


@asynccontextmanager
async def open_product(
    context: JobContext, trainer: InlineTrainer, library: Path, limits: Limits
) -> AsyncIterator[Product]:
    """Opens all of it over an empty library; `context.home` keeps adapters and the base model's answers."""
    place = await asyncio.to_thread(_emptied, library)
    base, embedder = context.base, SentenceEmbedder()
    engine = await asyncio.to_thread(LocalEngine.open, base.folder, base.card.template)
    database = await open_database(f"sqlite:///{place / 'nightschool.db'}")
    numbers = itertools.count(1)
    try:
        yield Product(
            runtime=Runtime(
                engine=engine,
                episodic=await LanceEpisodicMemory.open(place / "episodic", embedder),
                semantic=VolatileSemanticMemory(),
                database=database,
                outbox=trainer,
                registry=context.registry,
                routes=Routes(context.registry, partial(outbox.read, context.home / "outbox")),
                base=Route(domain=DEFAULT_DOMAIN, adapter=None, gate=base.card.gate),
                base_name="nightschool",
                card=base.card,
                embedder=embedder,
                clock=lambda: datetime.now(UTC),
                new_id=lambda: f"bench-{next(numbers)}",
                limits=limits.model_copy(update={"run_seconds": FOREVER, "training_seconds": FOREVER}),
            ),
            trainer=trainer,
            engine=engine,
            base=base,
            registry=context.registry,
            answers=context.home / "jobs" / "answers-of-the-benchmark.jsonl",
        )
    finally:
        await database.aclose()


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder.resolve()


def merged(questions: Sequence[Asked], *answers: Sequence[dict[Way, Said]]) -> tuple[Answered, ...]:
    """The answers of several rounds, question by question."""
    return tuple(
        Answered(asked=question, said={way: said for found in rounds for way, said in found.items()})
        for question, *rounds in zip(questions, *answers, strict=True)
    )

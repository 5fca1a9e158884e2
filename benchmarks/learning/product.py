"""Runs the product in one process: ingest, learn graph, training, gates, registry and chat with sources.

Unlike the service, it runs the engine in-process and trains jobs when they are submitted.
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
from benchmarks.learning.data import Question, Text
from benchmarks.learning.records import Condition, QuestionResult, Response
from benchmarks.learning.training_loop import bare_seconds_per_token
from benchmarks.learning.variants import Material, Variant
from graphs import chat as chat_graph
from graphs import learn as learn_graph
from graphs.state import NO_OWN_LIMITS, LearnState, Limits, Runtime
from memory.adapters.mlflow import MlflowAdapterRegistry
from memory.database.database import open_database
from memory.embedding.embedder import SentenceEmbedder
from memory.episodic.lance import LanceEpisodicMemory
from memory.feedback.annotations import Annotations
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.ingest.pipeline import ingest
from memory.nights.store import NightStore
from memory.nights.volatile_answers import VolatileAnswerArchive
from memory.outbox import files as outbox
from memory.outbox.approvals import approval_signer
from memory.outbox.base import Progress, QueueCounts, TrainingResult, count_results, job_of
from memory.records.adapters import Adapter
from memory.records.base import Digest
from memory.records.curricula import Curriculum
from memory.records.feedback import PreferenceSet
from memory.records.interactions import AnswerGate
from memory.records.knowledge import Passage
from memory.records.runs import Job, JobKind
from memory.semantic.volatile import VolatileSemanticMemory
from memory.server.approvals import Approvals
from memory.server.grants import Grants
from training import worker
from training.base_model import StudiedModel
from training.cached_engine import CachedEngine
from training.evaluate import ANSWER_TOKENS
from training.jobs import JobContext

CONCURRENT_QUESTIONS = 64
"""Without sources."""
CONCURRENT_CHATS = 16
NO_TIME_LIMIT = 1e6
"""Seconds. Slow runs are measured, not cancelled."""
RECURSION_LIMIT = 400
"""Graph steps of a learn run; enough for any number of lessons."""
PASSAGE_PROMPTS: dict[Condition, str] = {
    "read plainly": "{passage}\n\n{question}",
    "read as told": "Read the text and answer the question in a few words.\n\nText: {passage}\n\n"
    "Question: {question}",
}
"""Two simple prompts with the passage; the report uses the better one."""


@dataclass
class InlineTrainer:
    """An outbox that trains each job on submission, with the worker's steps and a variant's trainer."""

    context: JobContext
    variant: Variant
    passages: Sequence[Passage]
    attempts: int
    product_adapter: Path | None = None
    """The product's adapter for the same text, if there is one."""
    bare_steps: int = 0
    """Number of steps of the bare loop that is timed after each training; 0 turns it off."""
    measuring_seconds: float = 0.0
    """Time spent on measuring, which is not part of the lesson."""
    bare_seconds: float | None = None
    results: dict[Digest, TrainingResult] = field(default_factory=dict)

    async def publish(self, record: Curriculum | PreferenceSet) -> Digest:
        """See Outbox.publish."""
        return await asyncio.to_thread(outbox.publish, self.context.home / "outbox", record)

    async def submit(self, record: Curriculum | PreferenceSet, *, run_id: str) -> Job:
        """See Outbox.submit; returns once the job has ended. Only curricula are trained."""
        assert isinstance(record, Curriculum), "this benchmark trains lessons"
        digest = await self.publish(record)
        job = job_of(record, run_id)
        if digest not in self.results:
            self.results[digest] = await asyncio.to_thread(self._train, job, record)
        return job

    async def curriculum(self, digest: Digest) -> Curriculum:
        """See Outbox.curriculum."""
        return await asyncio.to_thread(outbox.read, self.context.home / "outbox", digest)

    async def preferences(self, digest: Digest) -> PreferenceSet:
        """See Outbox.preferences."""
        return await asyncio.to_thread(outbox.read, self.context.home / "outbox", digest, PreferenceSet)

    async def preference_digests(self) -> tuple[Digest, ...]:
        """See Outbox.preference_digests."""
        return await asyncio.to_thread(outbox.preference_digests, self.context.home / "outbox")

    async def digests(self) -> tuple[tuple[JobKind, Digest], ...]:
        """See Outbox.digests."""
        return await asyncio.to_thread(outbox.digests, self.context.home / "outbox")

    async def delete(self, digest: Digest) -> None:
        """See Outbox.delete."""
        await asyncio.to_thread(outbox.delete, self.context.home / "outbox", digest)

    async def progress(self, digest: Digest) -> Progress:
        """See Outbox.progress."""
        return Progress(phase="done")

    async def result(self, digest: Digest) -> TrainingResult | None:
        """See Outbox.result."""
        return self.results.get(digest)

    async def queue(self) -> QueueCounts:
        """See Outbox.queue."""
        return count_results(self.results.values())

    def _train(self, job: Job, curriculum: Curriculum) -> TrainingResult:
        material = Material(passages=self.passages, curriculum=curriculum, product=self.product_adapter)
        recipe = self.variant.recipe(self.context.recipe)
        if self.variant.from_base:  # training does not continue from an adapter of another recipe
            recipe = recipe.model_copy(update={"name": f"{recipe.name}-{job.digest[:6]}"})
        context = replace(
            self.context, recipe=recipe, train=self._with_bare_loop(self.variant.trainer(material))
        )
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
                self.measuring_seconds += time.monotonic() - started

    def _with_bare_loop(self, train: Any) -> Any:
        """The trainer, followed by a timed run of the bare loop."""
        if not self.bare_steps:
            return train

        def train_and_time(
            base: StudiedModel, examples: Any, recipe: Any, out: Path, on_progress: Any, **options: Any
        ) -> Any:
            summary = train(base, examples, recipe, out, on_progress, **options)
            started = time.monotonic()
            per_token = bare_seconds_per_token(base, examples, recipe, steps=self.bare_steps)
            self.bare_seconds = (self.bare_seconds or 0.0) + per_token * summary.tokens
            self.measuring_seconds += time.monotonic() - started
            return summary

        return train_and_time


@dataclass
class Product:
    """An open product with one library."""

    runtime: Runtime
    trainer: InlineTrainer
    engine: LocalEngine
    base: StudiedModel
    registry: MlflowAdapterRegistry
    answer_cache: Path
    """The base model's answers, shared by all texts."""

    async def ingest(self, text: Text, domain: str) -> None:
        """Ingests the text's documents."""
        runtime = self.runtime
        report = await ingest(
            text.documents, domain=domain, episodic=runtime.episodic, semantic=runtime.semantic
        )
        for failure in report.failed:
            print(f"not ingested: {failure.source}: {failure.reason}", flush=True)

    async def learn(self, text: Text, domain: str) -> LearnState:
        """Runs the learn graph on the documents to learn from, and returns its final state."""
        # The first attempt judges no more than this of each answer.
        short_answers = self.base.card.model_copy(update={"answer_tokens": JUDGED_TOKENS})
        runtime = replace(self.runtime, card=short_answers)
        run_id, now = runtime.new_id(), runtime.clock()
        await runtime.database.start_run(
            run_id, subject=text.topic, whole=True, domain=domain, gap_id=None, now=now
        )
        start: LearnState = {
            "run_id": run_id,
            "subject": text.topic,
            "whole": True,
            "domain": domain,
            "gap_id": None,
            "approval_policy": "auto",
            "sources": text.taught,
            "questions": (),
            "bounds": NO_OWN_LIMITS,
        }
        graph = learn_graph.build(runtime.limits).compile()
        final_state = await graph.ainvoke(start, {"recursion_limit": RECURSION_LIMIT}, context=runtime)
        return cast(LearnState, final_state)

    async def ask(
        self, questions: Sequence[Question], adapter: Adapter | None, conditions: Sequence[Condition]
    ) -> tuple[dict[Condition, Response], ...]:
        """Asks each question without sources, under each of the conditions.

        The conditions with a passage skip questions whose passage is unknown.
        """
        card = self.base.card
        cached = CachedEngine(self.engine, self.answer_cache)
        if adapter is not None:
            await self.engine.load(adapter.name, Path(adapter.path))

        async def respond(question: Question, condition: Condition) -> Response:
            used = adapter if condition == "adapter" else None
            gate: AnswerGate = used.gate if used else card.gate
            template = PASSAGE_PROMPTS.get(condition, "{question}")
            prompt = template.format(passage=question.passage, question=question.text)
            reply = await cached.chat(
                [HumanMessage(prompt)],
                adapter=used.name if used else None,
                sampling=Sampling(max_tokens=ANSWER_TOKENS),
            )
            uncertainty = measure_uncertainty(
                reply.tokens, gate, abstained=admits_ignorance(reply.text, card.declines)
            )
            return Response(
                text=reply.text,
                confident=uncertainty.decision == "confident",
                chance=uncertainty.confidence,
            )

        to_ask = [
            (n, condition)
            for condition in conditions
            for n, question in enumerate(questions)
            if condition not in PASSAGE_PROMPTS or question.passage
        ]
        calls = (partial(respond, questions[n], condition) for n, condition in to_ask)
        responses: list[dict[Condition, Response]] = [{} for _ in questions]
        answers = await gather_limited(calls, CONCURRENT_QUESTIONS)
        for (n, condition), response in zip(to_ask, answers, strict=True):
            responses[n][condition] = response
        return tuple(responses)

    async def chat(self, questions: Sequence[Question], model: str) -> tuple[Response, ...]:
        """Asks each question through the chat graph; `model` is a name that the API accepts."""
        graph = chat_graph.build().compile()
        await self.runtime.routes.refresh()

        async def respond(question: Question) -> Response:
            start = chat_graph.initial_state([HumanMessage(question.text)], requested=model)
            turn = await chat_graph.chat(graph, self.runtime, start)
            return Response(
                text=turn.answer,
                quotes=" ".join(citation.quote for citation in turn.citations),
                confident=turn.outcome != "abstained",
            )

        return tuple(
            await gather_limited((partial(respond, question) for question in questions), CONCURRENT_CHATS)
        )


@asynccontextmanager
async def open_product(
    context: JobContext, trainer: InlineTrainer, library: Path, limits: Limits
) -> AsyncIterator[Product]:
    """Opens the product with an empty library; `context.home` keeps the adapters and the answer cache."""
    folder = await asyncio.to_thread(_empty_folder, library)
    base, embedder = context.base, SentenceEmbedder()
    engine = await asyncio.to_thread(LocalEngine.open, base.folder, base.card.template)
    database = await open_database(f"sqlite:///{folder / 'nightschool.db'}")
    run_numbers = itertools.count(1)
    try:
        yield Product(
            runtime=Runtime(
                engine=engine,
                episodic=await LanceEpisodicMemory.open(folder / "episodic", embedder),
                semantic=VolatileSemanticMemory(),
                database=database,
                interactions=InteractionLog(database),
                feedback=FeedbackStore(database),
                annotations=Annotations(database),
                nights=NightStore(database),
                grants=Grants(database),
                answers=VolatileAnswerArchive(embedder),
                pseudonym_key="key",
                approvals=Approvals(database, approval_signer(context.home)),
                outbox=trainer,
                registry=context.registry,
                routes=Routes(context.registry, partial(outbox.read, context.home / "outbox")),
                base=Route(domain=DEFAULT_DOMAIN, adapter=None, gate=base.card.gate),
                base_name="nightschool",
                card=base.card,
                embedder=embedder,
                clock=lambda: datetime.now(UTC),
                new_id=lambda: f"bench-{next(run_numbers)}",
                limits=limits.model_copy(
                    update={"run_seconds": NO_TIME_LIMIT, "training_seconds": NO_TIME_LIMIT}
                ),
            ),
            trainer=trainer,
            engine=engine,
            base=base,
            registry=context.registry,
            answer_cache=context.home / "jobs" / "answers-of-the-benchmark.jsonl",
        )
    finally:
        await database.aclose()


def _empty_folder(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder.resolve()


def merge_responses(
    questions: Sequence[Question], *rounds: Sequence[dict[Condition, Response]]
) -> tuple[QuestionResult, ...]:
    """Combines the responses of several rounds, question by question."""
    return tuple(
        QuestionResult(
            question=question,
            responses={condition: response for part in parts for condition, response in part.items()},
        )
        for question, *parts in zip(questions, *rounds, strict=True)
    )

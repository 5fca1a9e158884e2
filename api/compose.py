"""Composition of the api: opens the engine, stores and run server by the settings, and closes them."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import httpx
from fastapi import Depends, Request
from sqlalchemy.engine import make_url

from agent.chat.routing import DEFAULT_DOMAIN, Route, Routes
from agent.engines.base import Engine
from agent.engines.breaker import BreakingEngine
from agent.engines.scripted import ScriptedEngine
from agent.engines.vllm.engine import VllmEngine
from agent.experiments.active import ActiveExperiments
from agent.feedback.alternatives import TeacherAnswers
from agent.learning.critique import Judge
from agent.learning.teachers.base import Teacher
from agent.learning.teachers.combined import CombinedTeacher
from agent.learning.teachers.judge import ModelJudge
from agent.learning.teachers.model import ModelTeacher
from agent.learning.teachers.rules import RulesTeacher
from agent.loops import Loops
from agent.models.store import AddedModel, resolve_model
from agent.nights.scoring.live import AttemptBudget
from agent.privacy.scrubbing import Scrubber
from agent.registry import open_registry
from agent.settings import SHARED, Settings
from api.adapter_loops import follow_registry, keep_adapters_loaded
from api.analyses import Analyses
from api.experiment_loops import check_experiments, experiment_checks, follow_experiments
from api.langgraph.cron_runs import CronRuns
from api.langgraph.run_service import RunService
from api.metrics.counters import Metrics
from api.rate_limits import RateLimits
from api.store_loops import maintain_stores, sweep_expired_items
from api.supervisor.components import graph_address
from api.web_exploration import open_web_exploration
from graphs import chat as chatting
from graphs.server import threads
from graphs.server.background_jobs import FireCron, SendWebhook
from graphs.server.executor import NO_TASKS, Executor, PeriodicTask, open_executor
from graphs.server.graph_spec import ChatSpec, GraphSpec
from graphs.server.learn_runs import LearnRuns
from graphs.server.learn_spec import LearnSpec, learn_gap
from graphs.server.night_runs import end_lost_nights
from graphs.server.night_spec import NightSpec
from graphs.server.retention import interaction_retention
from graphs.state import Limits, Runtime
from memory.adapters.calibrations import FolderCalibrationStore
from memory.checkpoints.connect import open_saver
from memory.checkpoints.savers import Saver
from memory.database.database import Database, open_database
from memory.database.heartbeat import Heartbeat
from memory.embedding.embedder import Embedder, SentenceEmbedder
from memory.episodic.lance import LanceEpisodicMemory
from memory.errors import StoreUnavailable
from memory.feedback.annotations import Annotations
from memory.feedback.experiments import Experiments
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.feedback.secrets import PRIVACY, PSEUDONYMS, get_secret
from memory.file_locks import file_lock
from memory.ingest.pipeline import ReadDocument
from memory.ingest.readers import DocumentReaders
from memory.ingest.writer import DocumentWriter
from memory.nights.lance_answers import LanceAnswerArchive
from memory.nights.store import NightStore
from memory.outbox.approvals import approval_signer
from memory.outbox.dbos import DbosOutbox
from memory.outbox.files import read
from memory.semantic.falkor import FalkorSemanticMemory
from memory.server.approvals import Approvals
from memory.server.assistants import Assistants
from memory.server.audit import HEADS
from memory.server.crons import Crons
from memory.server.grants import Grants
from memory.server.keys import ApiKeys
from memory.server.perspectives import Perspectives
from memory.server.sole_writer import sole_writer
from memory.server.store import ItemStore, open_item_store
from memory.server.webhooks import Webhooks
from memory.server.withdrawn import WithdrawnSentences

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Service:
    """The dependencies of the routes."""

    settings: Settings
    runtime: Runtime
    chat: chatting.Chat
    executor: Executor
    loops: Loops
    """Background loops of the process."""
    heartbeat: Heartbeat
    assistants: Assistants
    run_service: RunService
    crons: Crons
    keys: ApiKeys
    learn_runs: LearnRuns
    embedder: Embedder
    items: ItemStore
    model_folder: Path
    """Folder of the base model, with its card."""
    read_document: ReadDocument
    """Extracts passages and facts from a document that a client sent."""
    document_writer: DocumentWriter
    withdrawn: WithdrawnSentences
    perspectives: Perspectives
    rate_limits: RateLimits
    metrics: Metrics
    embedding_lock: asyncio.Lock
    """Held while texts are embedded for a client, because several at once would only occupy all threads."""
    teacher_answers: TeacherAnswers | None = None
    """Answers questions for annotation with the teacher's model; None without one."""
    analyses: Analyses = field(default_factory=Analyses)


async def service_of(request: Request) -> Service:
    """The service of the app that received the request; async, because FastAPI runs others in threads."""
    service = request.app.state.service
    assert isinstance(service, Service), "the app's lifespan sets it before the first request"
    return service


ServiceDep = Annotated[Service, Depends(service_of)]


Graphs = Callable[[Runtime, Saver], Sequence[GraphSpec]]


def shipped_graphs(runtime: Runtime, saver: Saver) -> Sequence[GraphSpec]:
    """Graphs that ship with the service and that clients may run."""
    return ChatSpec(saver), LearnSpec(runtime, saver), NightSpec(runtime, saver)


@asynccontextmanager
async def open_service(settings: Settings, graphs: Graphs = shipped_graphs) -> AsyncIterator[Service]:
    """Opens everything. Raises StoreUnavailable, EngineUnavailable, and ValueError for a bad setting."""
    model = resolve_model(settings)  # first, so that a missing model is reported before anything is opened
    settings.home.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        if make_url(settings.runs_url).get_backend_name() == "sqlite":
            stack.enter_context(_only_api(settings.path("api.lock")))
        engine = await _engine(settings, model, stack)
        database = await open_database(settings.relational_url)
        stack.push_async_callback(database.aclose)
        approver_database = database
        if settings.approver_database_url is not None:
            approver_database = await open_database(settings.approver_database_url)
            stack.push_async_callback(approver_database.aclose)
        keys = ApiKeys(database)
        if not settings.on_loopback and not await keys.required():
            raise ValueError(
                f"an api on {settings.api_host} needs keys, and there are none: make one with"
                " `nightschool keys create --scope chat`, or set NIGHTSCHOOL_API_HOST=127.0.0.1"
            )
        embedder = SentenceEmbedder()
        # Loads the model in the background, so that the first search does not wait seconds for it.
        warming = asyncio.create_task(asyncio.to_thread(embedder.embed, ["warm"]))
        stack.callback(warming.cancel)
        scrubber = Scrubber(settings.privacy_policies, await _privacy_key(settings, database))
        warming_scrubber = asyncio.create_task(asyncio.to_thread(scrubber.warm))
        stack.callback(warming_scrubber.cancel)
        episodic = await LanceEpisodicMemory.open(settings.library_folder("episodic"), embedder)
        semantic = await FalkorSemanticMemory.open(graph_address(settings))
        stack.push_async_callback(semantic.aclose)
        settings.path(SHARED).mkdir(exist_ok=True)
        outbox = await asyncio.to_thread(DbosOutbox, settings.path("outbox"), settings.training_url)
        stack.callback(outbox.close)  # not in a thread, because closing DBOS shuts down the thread pool
        registry = await asyncio.to_thread(open_registry, settings, model.card.digest)
        calibrations = FolderCalibrationStore(settings.path("calibrations"))
        routes = Routes(registry, partial(read, settings.path("outbox")), calibrations, embedder)
        await routes.refresh()
        experiments = ActiveExperiments(
            Experiments(database), engine=engine, registry=registry, routes=routes
        )
        teacher, judge, teacher_answers = await _teachers(settings, stack)
        metrics = Metrics()
        rate_limits = RateLimits.of(settings, metrics.refused)
        readers = DocumentReaders(seconds=settings.document_seconds, most_passages=settings.document_passages)
        stack.callback(readers.close)
        withdrawn = WithdrawnSentences(database, audit_heads=settings.path(HEADS))
        writer = DocumentWriter(
            episodic, semantic, partial(sole_writer, database),
            on_stored=metrics.ingested, corrected=withdrawn.corrected,
        )  # fmt: skip
        runtime = Runtime(
            count_tokens=rate_limits.count_tokens,
            meter=metrics,
            engine=engine,
            episodic=episodic,
            semantic=semantic,
            database=database,
            interactions=InteractionLog(database),
            feedback=FeedbackStore(database),
            annotations=Annotations(database),
            nights=NightStore(database),
            grants=Grants(database, audit_heads=settings.path(HEADS)),
            answers=await LanceAnswerArchive.open(settings.library_folder("answers"), embedder),
            pseudonym_key=await get_secret(database, PSEUDONYMS),
            approvals=Approvals(approver_database, approval_signer(settings.home)),
            outbox=outbox,
            registry=registry,
            routes=routes,
            base=Route(domain=settings.domain or DEFAULT_DOMAIN, adapter=None, gate=model.card.gate),
            base_name=settings.model_name,
            card=model.card,
            embedder=embedder,
            clock=lambda: datetime.now(UTC),
            new_id=lambda: uuid.uuid4().hex,
            approval=settings.approval,
            unsure=settings.unsure,
            limits=_limits(settings),
            teacher=teacher,
            judge=judge,
            scrubber=scrubber,
            experiments=experiments,
            model_folder=model.folder,
            excluded_owners=settings.excluded_owners,
            second_attempts=_second_attempts(settings),
            learn_gap=learn_gap,
            web=await open_web_exploration(settings, readers.read, writer, episodic, stack),
            audit_heads=settings.path(HEADS),
        )
        retention = interaction_retention(runtime.interactions, settings.interactions_kept, runtime.clock)
        saver = await stack.enter_async_context(open_saver(settings.checkpoints_url))
        items = await stack.enter_async_context(open_item_store(settings.store_url, embedder))
        server = await stack.enter_async_context(
            open_server(
                runtime,
                saver,
                settings.runs_url,
                _webhooks(settings),
                graphs,
                {"old chat turns": retention},
                rate_limits,
            )
        )
        server.executor.loops.start(
            keep_adapters_loaded(engine, registry, runtime.audit),
            follow_registry(routes),
            follow_experiments(experiments),
            check_experiments(experiments, experiment_checks(runtime)),
            sweep_expired_items(items),
            maintain_stores(runtime.episodic, runtime.answers),
        )
        yield Service(
            settings=settings,
            runtime=runtime,
            chat=chatting.build().compile(),
            executor=server.executor,
            loops=server.executor.loops,
            heartbeat=Heartbeat(database),
            assistants=server.assistants,
            run_service=server.run_service,
            crons=server.crons,
            keys=keys,
            learn_runs=server.learn_runs,
            embedder=embedder,
            items=items,
            model_folder=model.folder,
            read_document=readers.read,
            document_writer=writer,
            withdrawn=withdrawn,
            perspectives=Perspectives(database, audit_heads=settings.path(HEADS)),
            rate_limits=rate_limits,
            metrics=metrics,
            embedding_lock=asyncio.Lock(),
            teacher_answers=teacher_answers,
        )


def _only_api(lock: Path) -> AbstractContextManager[None]:
    """Keeps a second api from the same SQLite files. Raises StoreUnavailable."""
    busy = StoreUnavailable(
        f"another api uses {lock.parent.resolve()}: stop it, set another NIGHTSCHOOL_HOME, or share a"
        " PostgreSQL database by NIGHTSCHOOL_DATABASE_URL"
    )
    return file_lock(lock, busy=busy)


@dataclass(frozen=True)
class Server:
    """The LangGraph-compatible server on one database and one saver."""

    executor: Executor
    assistants: Assistants
    run_service: RunService
    crons: Crons
    learn_runs: LearnRuns


@asynccontextmanager
async def open_server(
    runtime: Runtime,
    saver: Saver,
    url: str,
    webhooks: Webhooks | None = None,
    graphs: Graphs = shipped_graphs,
    periodic_tasks: Mapping[str, PeriodicTask] = NO_TASKS,
    rate_limits: RateLimits | None = None,
) -> AsyncIterator[Server]:
    """Opens the server and continues unfinished runs.

    `url` is the SQLAlchemy URL of DBOS's tables and the process leases. `rate_limits` are those of learn
    runs; none by default. Raises StoreUnavailable.
    """
    graph_specs = graphs(runtime, saver)
    assistants = Assistants(runtime.database, [spec.name for spec in graph_specs])
    await assistants.create_shipped()
    crons = Crons(runtime.database)

    def run_service_on(executor: Executor) -> RunService:
        return RunService(executor, assistants, webhooks, rate_limits or RateLimits(), runtime.audit)

    def make_senders(executor: Executor) -> tuple[SendWebhook, FireCron]:
        run_service = run_service_on(executor)
        cron_runs = CronRuns(run_service, crons, ApiKeys(runtime.database))
        return run_service.send_webhook, cron_runs.fire

    tasks: Mapping[str, PeriodicTask] = {"expired threads": threads.expire, **periodic_tasks}
    async with open_executor(runtime, saver, graph_specs, url, tasks, make_senders) as executor:
        learn_runs = LearnRuns(runtime, executor)
        await learn_runs.end_lost()
        await end_lost_nights(runtime, executor)
        yield Server(
            executor=executor,
            assistants=assistants,
            run_service=run_service_on(executor),
            crons=crons,
            learn_runs=learn_runs,
        )


async def _privacy_key(settings: Settings, database: Database) -> bytes:
    if settings.privacy_key is not None:
        return settings.privacy_key.get_secret_value().encode()
    return (await get_secret(database, PRIVACY)).encode()


async def _engine(settings: Settings, model: AddedModel, stack: AsyncExitStack) -> Engine:
    if settings.engine == "vllm":
        served = VllmEngine(
            settings.vllm_url,
            settings.model_name,
            model.card.template,
            key=settings.engine_key.get_secret_value(),
            timeout=settings.engine_timeout,
        )
        stack.push_async_callback(served.aclose)
        return BreakingEngine(served)
    if settings.engine == "scripted":
        return ScriptedEngine()
    from agent.engines.local import (
        LocalEngine,
    )  # imports torch and transformers, which other engines do not need

    return await asyncio.to_thread(LocalEngine.open, model.folder, model.card.template)


async def _teachers(
    settings: Settings, stack: AsyncExitStack
) -> tuple[Teacher, Judge | None, TeacherAnswers | None]:
    """The teacher that writes curricula. If a model is configured: the judge of findings, and its answers."""
    rules = RulesTeacher()
    if settings.teacher_url is None:
        return rules, None, None
    client = await stack.enter_async_context(httpx.AsyncClient(timeout=settings.teacher_timeout))
    url, name = settings.teacher_url, settings.teacher_model
    key, timeout = settings.teacher_key, settings.teacher_timeout
    judge = ModelJudge(url, name, key=key, timeout=timeout, client=client).judge
    answers = TeacherAnswers(url, name, key=key, timeout=timeout, client=client)
    if settings.teacher == "rules":
        return rules, judge, answers
    model = ModelTeacher(url, name, key=key, timeout=timeout, client=client)
    teacher = model if settings.teacher == "model" else CombinedTeacher(rules, model)
    return teacher, judge, answers


def _webhooks(settings: Settings) -> Webhooks | None:
    if settings.webhook_secret is None:
        return None
    secret = settings.webhook_secret.get_secret_value()
    return Webhooks(secret, lambda: datetime.now(UTC), hosts=settings.private_webhooks)


def _second_attempts(settings: Settings) -> AttemptBudget | None:
    if not settings.second_attempts:
        return None
    return AttemptBudget(settings.second_attempts, lambda: datetime.now(UTC))


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_refinements=settings.max_refinements,
        recursion=settings.recursion_limit,
        step_attempts=settings.step_attempts,
        run_seconds=settings.run_minutes * 60,
        training_seconds=settings.training_minutes * 60,
        facts_per_lesson=settings.facts_per_lesson,
        lessons_per_run=settings.lessons_per_run,
    )

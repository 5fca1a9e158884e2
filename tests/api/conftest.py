"""Fixtures of the api tests: the real app, served in process, over a runtime of shipped fakes."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from langgraph.graph.state import CompiledStateGraph

from agent.loops import Loops
from agent.settings import Settings
from api.app import create_app
from api.compose import Server, Service, open_server
from api.connections import with_limit
from api.metrics.counters import Metrics
from api.rate_limits import RateLimits
from graphs import chat as chatting
from graphs.state import Runtime
from memory.checkpoints.connect import open_saver
from memory.database.heartbeat import Heartbeat
from memory.embedding.embedder import Embedder, HashingEmbedder
from memory.ingest.pipeline import read_in_thread
from memory.ingest.writer import DocumentWriter
from memory.server.keys import ApiKeys
from memory.server.perspectives import Perspectives
from memory.server.store import open_item_store
from memory.server.withdrawn import WithdrawnSentences
from tests.graphs.conftest import clock, runtime
from tests.support.databases import empty_runs, home
from tests.support.tiny_model import FOLDER as TINY

__all__ = ["clock", "empty_runs", "home", "runtime"]

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
Listen = Callable[..., AbstractAsyncContextManager[str]]


@lru_cache(maxsize=1)
def compiled_chat() -> CompiledStateGraph[Any, Any, Any, Any]:
    """The chat graph without a saver; it has no state, and takes a while to compile."""
    return chatting.build().compile()


@pytest.fixture
def build(home: Path, runtime: Runtime) -> Callable[..., FastAPI]:
    """Makes the app over the fakes, or over another runtime.

    Server runs are opened only where a test is about them.
    """

    @asynccontextmanager
    async def open_fakes(
        settings: Settings, served_runtime: Runtime, learning: bool, embedder: Embedder
    ) -> AsyncIterator[Service]:
        async with AsyncExitStack() as stack:
            metrics = Metrics()
            limits = RateLimits.of(settings, metrics.refused)
            counted = replace(served_runtime, meter=metrics)
            items = cast(Any, None)
            server = Server(*[cast(Any, None)] * 5)
            if learning:
                saver = await stack.enter_async_context(open_saver(settings.checkpoints_url))
                server = await stack.enter_async_context(
                    open_server(counted, saver, settings.runs_url, rate_limits=limits)
                )
                items = await stack.enter_async_context(open_item_store(settings.store_url, embedder))
            withdrawn = WithdrawnSentences(served_runtime.database)
            yield Service(
                settings=settings,
                runtime=replace(counted, count_tokens=limits.count_tokens),
                chat=compiled_chat(),
                executor=server.executor,
                loops=server.executor.loops if learning else Loops(),
                heartbeat=Heartbeat(served_runtime.database),
                assistants=server.assistants,
                run_service=server.run_service,
                crons=server.crons,
                keys=ApiKeys(served_runtime.database),
                learn_runs=server.learn_runs,
                embedder=embedder,
                items=items,
                model_folder=TINY,
                read_document=read_in_thread,
                document_writer=DocumentWriter(
                    served_runtime.episodic,
                    served_runtime.semantic,
                    on_stored=metrics.ingested,
                    corrected=withdrawn.corrected,
                ),
                withdrawn=withdrawn,
                perspectives=Perspectives(runtime.database),
                rate_limits=limits,
                metrics=metrics,
                embedding_lock=asyncio.Lock(),
            )

    def built(
        served_runtime: Runtime = runtime,
        *,
        learning: bool = False,
        embedder: Embedder | None = None,
        **changed: Any,
    ) -> FastAPI:
        settings = Settings(home=home, **{"max_document_bytes": 2000, **changed})
        return create_app(
            settings, opener=lambda s: open_fakes(s, served_runtime, learning, embedder or HashingEmbedder())
        )

    return built


@pytest.fixture
def serve(build: Callable[..., FastAPI]) -> Serve:
    """Serves the app in this process for as long as the block lasts."""

    @asynccontextmanager
    async def served(*runtime: Runtime, **changed: Any) -> AsyncIterator[httpx.AsyncClient]:
        app = build(*runtime, **changed)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            yield client

    return served


@pytest.fixture
def listen(build: Callable[..., FastAPI]) -> Listen:
    """Serves the app with uvicorn on a free port of loopback, and yields its URL: clients stream from it."""

    @asynccontextmanager
    async def listening(*runtime: Runtime, **changed: Any) -> AsyncIterator[str]:
        with socket.socket() as door:
            door.bind(("127.0.0.1", 0))
            http = with_limit(changed.get("api_connections", 0))
            server = uvicorn.Server(
                uvicorn.Config(build(*runtime, **changed), http=http, ws="none", log_level="warning")
            )
            serving = asyncio.create_task(server.serve(sockets=[door]))
            while not server.started:
                assert not serving.done(), "the server did not start"
                await asyncio.sleep(0.01)
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
            server.should_exit = True
            await serving

    return listening


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async with serve() as opened:
        yield opened


@pytest.fixture
async def learning(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app that can run learn runs."""
    async with serve(learning=True) as opened:
        yield opened


def asking(question: str, **fields: object) -> dict[str, object]:
    """The body of a chat request with one user message."""
    return {"messages": [{"role": "user", "content": question}], **fields}

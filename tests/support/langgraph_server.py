"""How tests serve the real app over shipped fakes, on loopback, for LangGraph's own client.

Threads, runs, checkpoints and the relational store are real; the engine is scripted.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn

from agent.settings import Settings
from api.app import create_app
from api.compose import Service, open_server
from api.metrics.counters import Metrics
from api.rate_limits import RateLimits
from graphs import chat as chatting
from graphs.state import Runtime
from memory.checkpoints.connect import open_saver
from memory.database.heartbeat import Heartbeat
from memory.embedding.embedder import HashingEmbedder
from memory.ingest.pipeline import read_in_thread
from memory.ingest.writer import DocumentWriter
from memory.server.keys import ApiKeys
from memory.server.perspectives import Perspectives
from memory.server.store import open_item_store
from memory.server.webhooks import Webhooks
from memory.server.withdrawn import WithdrawnSentences
from tests.support.tiny_model import FOLDER as TINY


@asynccontextmanager
async def open_fakes(
    settings: Settings, runtime: Runtime, webhooks: Webhooks | None = None
) -> AsyncIterator[Service]:
    """The service over the runtime, whose database has to be the one of the settings."""
    async with (
        open_saver(settings.checkpoints_url) as saver,
        open_server(runtime, saver, settings.runs_url, webhooks) as server,
        open_item_store(settings.store_url, HashingEmbedder()) as items,
    ):
        yield Service(
            settings=settings,
            runtime=runtime,
            chat=chatting.build().compile(),
            executor=server.executor,
            loops=server.executor.loops,
            heartbeat=Heartbeat(runtime.database),
            assistants=server.assistants,
            run_service=server.run_service,
            crons=server.crons,
            keys=ApiKeys(runtime.database),
            model_folder=TINY,
            learn_runs=server.learn_runs,
            embedder=HashingEmbedder(),
            items=items,
            read_document=read_in_thread,
            document_writer=DocumentWriter(runtime.episodic, runtime.semantic),
            withdrawn=WithdrawnSentences(runtime.database),
            perspectives=Perspectives(runtime.database),
            rate_limits=RateLimits(),
            metrics=Metrics(),
            embedding_lock=asyncio.Lock(),
        )


@asynccontextmanager
async def serving(
    runtime: Runtime, home: Path, database_url: str, *, port: int = 0, webhooks: Webhooks | None = None
) -> AsyncIterator[str]:
    """Serves until the block ends; gives the URL."""
    settings = Settings(home=home, database_url=database_url)
    app = create_app(settings, opener=lambda settings: open_fakes(settings, runtime, webhooks))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        if serving.done():
            serving.result()
        await asyncio.sleep(0.01)
    bound = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{bound}"
    finally:
        server.should_exit = True
        await serving

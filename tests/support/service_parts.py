"""Parts of a service with the perfect student: the api here, the worker in its process, vLLM's stand-in."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
from aiohttp import web

from agent.settings import Settings
from api.app import create_app
from examples.demo import free_ports
from tests.faults.engine_server import EngineServer
from tests.faults.perfect_student import AdapterEngine, base_script
from tests.faults.work import Client
from tests.support.tiny_card import FOLDER as TINY
from training.base_model import open_base_model

WORKER_READS = ("home", "model", "database_url", "registry_url", "adapters_url")


@asynccontextmanager
async def engine() -> AsyncIterator[tuple[str, AdapterEngine]]:
    """The stand-in of vLLM over the tiny model; yields its URL."""
    scripted = AdapterEngine(base_script(open_base_model(TINY)))
    runner = web.AppRunner(EngineServer(scripted, TINY).app())
    await runner.setup()
    try:
        (port,) = free_ports(1)
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{port}", scripted
    finally:
        await runner.cleanup()


@contextmanager
def worker(settings: Settings) -> Iterator[None]:
    """The worker with the perfect student, which knows of the settings those of its stores."""
    chosen = settings.model_dump(include=set(WORKER_READS), exclude_none=True)
    variables = {f"NIGHTSCHOOL_{name.upper()}": str(value) for name, value in chosen.items()}
    command = [sys.executable, "-m", "tests.support.perfect_worker", "--quick"]
    with (
        (settings.home / "worker.log").open("wb") as log,
        subprocess.Popen(command, env=os.environ | variables, stdout=log, stderr=log) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


@asynccontextmanager
async def api(settings: Settings) -> AsyncIterator[Client]:
    """The api with its real stores; yields a client."""
    app = create_app(settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=120) as http,
    ):
        yield Client(http)

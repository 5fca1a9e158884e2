"""Fixtures of the api tests: the real app, served in process, over a runtime of shipped fakes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from agent.settings import Settings
from api.app import create_app
from api.compose import Durable, Service, open_durable
from graphs import chat as chatting
from graphs.state import Runtime
from memory.checkpoints import open_saver
from tests.graphs.conftest import clock, runtime

__all__ = ["clock", "runtime"]

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def serve(tmp_path: Path, runtime: Runtime) -> Serve:
    """Serves the app over the fakes, or over another runtime, for as long as the block lasts.

    Durable runs are opened only where a test is about them.
    """

    @asynccontextmanager
    async def open_fakes(settings: Settings, given: Runtime, learning: bool) -> AsyncIterator[Service]:
        async with AsyncExitStack() as stack:
            durable = Durable(*[cast(Any, None)] * 3)
            if learning:
                saver = await stack.enter_async_context(open_saver(f"sqlite:///{tmp_path}/checkpoints.db"))
                durable = await stack.enter_async_context(open_durable(given, saver))
            yield Service(
                settings=settings,
                runtime=given,
                chat=chatting.build().compile(),
                executor=durable.executor,
                assistants=durable.assistants,
                runs=durable.runs,
                writing=asyncio.Lock(),
            )

    @asynccontextmanager
    async def served(
        given: Runtime = runtime, *, learning: bool = False, **changed: Any
    ) -> AsyncIterator[httpx.AsyncClient]:
        settings = Settings(home=tmp_path, max_document_bytes=2000, **changed)
        app = create_app(settings, opener=lambda s: open_fakes(s, given, learning))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            yield client

    return served


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

"""The web application: its routes, limits and lifespan.

Holds no logic; each route is one call into the graphs or the stores.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from types import ModuleType

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from agent.settings import Settings
from api import errors, health
from api.auth import may
from api.compose import Service, open_service
from api.langgraph import assistants, crons, store, threads
from api.langgraph import runs as thread_runs
from api.limits import RequestLimits
from api.nightschool import adapters, calibrations, documents, gaps, learn
from api.openai import chat, completions, embeddings, models, responses
from api.trusted_hosts import OwnPagesOnly
from memory.server.keys import Scope

PARTS: Mapping[Scope, Sequence[ModuleType]] = {
    "chat": (
        chat,
        completions,
        responses,
        models,
        embeddings,
        assistants,
        threads,
        thread_runs,
        store,
        crons,
    ),
    "learn": (learn, gaps, documents),
    "admin": (adapters, calibrations),
}
"""What a key needs for which routes; health needs none."""
Opener = Callable[[Settings], AbstractAsyncContextManager[Service]]


def create_app(settings: Settings, opener: Opener = open_service) -> FastAPI:
    """The app; `opener` makes what its routes work with, and is closed with it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opener(settings) as service:
            app.state.service = service
            yield

    app = FastAPI(
        title="Nightschool",
        version=version("nightschool"),
        description="An LLM service that knows when it does not know, learns it, and proves that it learned.",
        lifespan=lifespan,
        responses=errors.refusals(401, 403),
    )
    app.include_router(health.router)
    for scope, parts in PARTS.items():
        for part in parts:
            app.include_router(part.router, dependencies=[may(scope)])
    errors.install(app)

    def largest(path: str) -> int | None:
        return settings.max_document_bytes if path == documents.PATH else None

    app.add_middleware(RequestLimits, largest=largest)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(settings.origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["Content-Location", "Location", "X-Pagination-Next"],
        )
    app.add_middleware(  # the last one is asked first
        OwnPagesOnly, listening=settings.api_host, hosts=settings.hosts, allowed=settings.origins
    )
    return app

"""Owns the web application: its routes, its limits and its lifespan.

Holds no logic; each route is one call into the graphs or the stores.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from agent.settings import Settings
from api import adapters, documents, errors, health, learn
from api.compose import Service, open_service
from api.limits import RequestLimits
from api.openai import chat, embeddings, models
from api.origins import OwnPagesOnly

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
        responses=errors.refusals(403),
    )
    for part in (chat, models, embeddings, learn, adapters, documents, health):
        app.include_router(part.router)
    errors.install(app)

    def largest(path: str) -> int | None:
        return settings.max_document_bytes if path == documents.PATH else None

    app.add_middleware(RequestLimits, largest=largest)
    app.add_middleware(OwnPagesOnly, listening=settings.api_host)  # the last one is asked first
    return app

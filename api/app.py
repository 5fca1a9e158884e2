"""The web application: routes with the scopes they need, middleware, and error handlers."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import lru_cache
from importlib.metadata import version
from types import ModuleType

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware

from agent.settings import Settings
from api import errors, health, reference_page
from api.admission import Admission
from api.auth import require_scope
from api.compose import Service, open_service
from api.console_proxy import ConsoleProxy, console_socket
from api.langgraph import assistants, crons, store, threads
from api.langgraph import runs as thread_runs
from api.limits import RequestLimits
from api.mcp import http as mcp_http
from api.metrics import scrape
from api.metrics.requests import CountRequests
from api.nightschool import (
    adapters,
    annotation,
    annotation_batches,
    attacks,
    audit,
    base_models,
    calibrations,
    caller,
    documents,
    exchange,
    experiments,
    facts,
    feedback,
    gaps,
    grants,
    interactions,
    keys,
    learn,
    memory,
    night_review,
    night_schedules,
    nights,
    perspectives,
    preferences,
    search,
    skew,
    statements,
    webhooks,
    withdrawn,
)
from api.openai import chat, completions, embeddings, models, responses
from api.request_ids import RequestIds
from api.traces import TraceRequests
from api.trusted_hosts import TrustedOrigins
from memory.server.keys import Scope

ROUTES: Mapping[Scope, Sequence[ModuleType]] = {
    "metrics": (scrape,),
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
        feedback,
        interactions,
        memory,
        search,
        webhooks,
        caller,
    ),
    "annotate": (annotation,),
    "learn": (
        learn,
        facts,
        gaps,
        documents,
        perspectives,
        night_schedules,
        nights,
        night_review,
        attacks,
        skew,
        withdrawn,
    ),
    "admin": (
        adapters,
        audit,
        base_models,
        calibrations,
        exchange,
        experiments,
        annotation_batches,
        grants,
        keys,
        preferences,
        statements,
    ),
}
"""Modules with routes, by the scope that their callers need. Health routes need none."""
Opener = Callable[[Settings], AbstractAsyncContextManager[Service]]


def create_app(settings: Settings, opener: Opener = open_service) -> FastAPI:
    """The app. Its lifespan opens the service with `opener` and closes it again."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opener(settings) as service:
            app.state.service = service
            try:
                yield
            finally:
                await service.analyses.aclose()

    app = FastAPI(
        title="Nightschool",
        version=version("nightschool"),
        description="An LLM service that knows when it does not know, learns it, and proves that it learned.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.router.routes.extend(_router().routes)
    app.router.routes.append(mcp_http.route())
    app.router.routes.append(reference_page.route())
    errors.add_handlers(app)

    def body_limit(path: str) -> int | None:
        if path == exchange.IMPORT_PATH:
            return exchange.LINE_BYTES * settings.max_document_bytes
        uploads = (documents.PATH, annotation_batches.IMPORT_PATH)
        return settings.max_document_bytes if path in uploads else None

    app.add_middleware(RequestLimits, body_limit=body_limit)
    app.add_middleware(Admission, concurrent=settings.rate_concurrent)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(settings.origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["Content-Location", "Location", "X-Pagination-Next", "X-Request-ID"],
        )
    app.add_middleware(ConsoleProxy, socket=console_socket(settings))
    app.add_middleware(
        TrustedOrigins, listening=settings.api_host, hosts=settings.hosts, allowed=settings.origins
    )
    app.add_middleware(CountRequests)
    app.add_middleware(TraceRequests)
    app.add_middleware(RequestIds)  # added last, so that it runs first
    return app


@lru_cache(maxsize=1)
def _router() -> APIRouter:
    """The routes, which are the same for every app; making them takes 0.2 seconds."""
    router = APIRouter(responses=errors.openai_errors(401, 403))
    router.include_router(health.router)
    for scope, modules in ROUTES.items():
        for module in modules:
            router.include_router(module.router, dependencies=[require_scope(scope)])
    return router

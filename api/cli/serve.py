"""Commands that run the service: all of it, or one process in the foreground."""

import asyncio
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.shell import BAD_INPUT, FAILED, console, disk_trouble, settings, stop

if TYPE_CHECKING:
    from agent.settings import Settings
    from api.supervisor.supervisor import Component

Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show all output of all parts.")]
SeparateUsers = Annotated[
    bool, typer.Option("--separate-users", help="As root: run api, engine and trainer as system users.")
]

COLOURS = {"graph": "magenta", "engine": "yellow", "worker": "cyan", "api": "green", "console": "blue"}
QUIET = ("engine", "graph")
"""Processes whose output is only in the log files, but for the engine's errors."""
TROUBLE = re.compile(r"^(?!.*WARNING).*\b(ERROR|CRITICAL|FATAL)\b")


def up(verbose: Verbose = False, separate_users: SeparateUsers = False) -> None:
    """Start the service: api, engine, trainer, graph store and web console. Ctrl-C stops all of it."""
    from api.supervisor import supervisor
    from api.supervisor.components import components, has_console

    configuration = settings()
    _make_home(configuration)
    logs = configuration.path("logs")
    with ExitStack() as stack:
        with _errors_as_messages():
            stack.enter_context(_home_lock(configuration))  # first: the parts look for others of their kind
            parts = components(configuration)
            if separate_users:
                from api.supervisor.separation import separate

                parts = separate(configuration, parts)
        logs.mkdir(parents=True, exist_ok=True)
        _check_port(configuration)
        screen = console()

        def show(name: str, line: str) -> None:
            if verbose or name not in QUIET or (name == "engine" and TROUBLE.search(line)):
                note(name, line)

        def note(name: str, line: str) -> None:
            colour = COLOURS.get(name, "white")
            screen.print(f"[{colour}]{name:<6} |[/] ", end="")
            screen.print(line, markup=False, soft_wrap=True)

        def ready(seconds: float) -> None:
            screen.print(
                f"\n[bold green]Nightschool is ready[/] after {seconds:.0f} s\n"
                f"  chat   {configuration.api_url}/v1/chat/completions   or: nightschool chat\n"
                f"{page}"
                f"  docs   {configuration.api_url}/docs\n"
                f"  logs   {logs}\n"
                "  stop   Ctrl-C\n",
                soft_wrap=True,
            )

        page = f"  page   {configuration.api_url}/ui\n" if has_console() else ""
        if not page:
            note("console", "not started: it needs gradio, run `pip install 'nightschool[console]'`")
        screen.print(
            f"Starting {', '.join(part.name for part in parts)} (home: {configuration.home.resolve()})"
        )
        try:
            asyncio.run(
                _supervise(
                    supervisor.supervise, parts, logs=logs, on_output=show, on_event=note, on_ready=ready
                )
            )
        except supervisor.GaveUp as error:
            stop(str(error), FAILED)
        screen.print("Stopped.")


def api() -> None:
    """Run the api alone; it needs a running graph store and engine."""
    import logging

    from agent.logs import start_logging

    configuration = settings()
    start_logging(configuration.log_level, "%(levelname)s %(name)s: %(message)s", configuration.log_format)
    for chatty in ("httpx", "dbos", "alembic", "presidio-analyzer", "mcp"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    from agent.telemetry import exported_traces
    from api.cli.running import announced
    from api.serving import serve

    _make_home(configuration)
    with _errors_as_messages(), exported_traces("api"), announced(configuration):
        serve(configuration)
    os._exit(0)  # everything is closed, and taking the interpreter down in order would take seconds more


def _make_home(configuration: "Settings") -> None:
    from memory.file_modes import make_home

    with _errors_as_messages():
        make_home(configuration.home)


def worker() -> None:
    """Run the trainer alone."""
    from api.supervisor import components

    _exec(components.worker)


def engine() -> None:
    """Run the vLLM server alone."""
    from api.supervisor import components

    _exec(components.engine)


def graph() -> None:
    """Run the embedded graph store alone."""
    from api.supervisor import components

    _exec(components.graph)


def console_page() -> None:
    """Run the web console alone; the api, which must run on the same machine and home, shows it at /ui."""
    from api.supervisor import components

    if not components.has_console():
        stop("the console needs gradio: run `pip install 'nightschool[console]'`", BAD_INPUT)
    _exec(components.console)


def _exec(component: "Callable[[Settings], Component]") -> None:
    configuration = settings()
    with _errors_as_messages():
        part = component(configuration)
    os.execvp(part.command[0], part.command)


@contextmanager
def _errors_as_messages() -> Iterator[None]:
    """Ends the command with an error's message; exit code 2 for a bad setting or model."""
    from agent.errors import AgentError, ModelError
    from memory.errors import StorageError

    try:
        yield
    except ModelError as error:
        stop(str(error), BAD_INPUT)
    except (AgentError, StorageError) as error:
        stop(str(error), FAILED)
    except ValueError as error:
        stop(str(error), BAD_INPUT)
    except OSError as error:
        stop(disk_trouble(error), FAILED)


async def _supervise(supervise: Any, parts: Sequence["Component"], **options: Any) -> None:
    stopping = asyncio.Event()

    def on_signal() -> None:
        if stopping.is_set():
            os._exit(130)  # the second Ctrl-C: the children are told to stop by the death of their parent
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    await supervise(parts, stop=stopping, **options)


def _home_lock(configuration: "Settings") -> AbstractContextManager[None]:
    """Keeps a second service from the home folder. Raises ValueError."""
    from memory.file_locks import file_lock

    where = configuration.home.resolve()
    busy = ValueError(f"another `nightschool up` runs on {where}: stop it, or set NIGHTSCHOOL_HOME")
    return file_lock(configuration.path("up.lock"), busy=busy)


def _check_port(configuration: "Settings") -> None:
    host, port = configuration.api_host, configuration.api_port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            hint = "set NIGHTSCHOOL_API_PORT to another"
            stop(f"port {port} on {host} cannot be used ({error.strerror}): {hint}", BAD_INPUT)

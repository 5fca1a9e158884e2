"""Runs commands of `nightschool` in tests: in this process, or as a user does, in one of their own."""

import os
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from typer.testing import CliRunner

from api.cli.main import app

NIGHTSCHOOL = Path(sys.executable).parent / "nightschool"
NOBODY = 9
"""A port at which no service answers."""


def run(
    *arguments: str, port: int = NOBODY, typed: str = "", **environment: str
) -> "subprocess.CompletedProcess[str]":
    """The command's exit code and output, without the second or two that a process takes to start.

    `typed` is what the user types.
    """
    ended = CliRunner().invoke(app, arguments, input=typed, env=_variables(port, environment))
    failure = ended.exception
    if failure is None or isinstance(failure, SystemExit):
        shown = ended.stderr
    else:
        shown = ended.stderr + "".join(traceback.format_exception(failure))
    return subprocess.CompletedProcess(arguments, ended.exit_code, ended.stdout, shown)


def run_process(
    *arguments: str, port: int = NOBODY, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """The same as a user runs it."""
    return subprocess.run(
        [str(NIGHTSCHOOL), *arguments],
        env=os.environ | _variables(port, environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _variables(port: int, changes: dict[str, str]) -> dict[str, str]:
    return {"NIGHTSCHOOL_API_PORT": str(port), "COLUMNS": "200"} | changes


@contextmanager
def stub(routes: list[Route]) -> Iterator[int]:
    """A real server with these routes; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(10)

"""Shared by all commands: reading settings, reaching the service, and turning failures into exit codes.

Knows no command; imports what is slow only when a command runs, so that --help is fast.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from agent.settings import Settings
    from api.cli.client import Client

FAILED = 1
BAD_INPUT = 2
UNAUTHORIZED = 401


def stop(message: str, code: int) -> NoReturn:
    """Ends the command with a message on stderr."""
    print(f"nightschool: {message}", file=sys.stderr)
    raise typer.Exit(code)


def disk_trouble(error: OSError) -> str:
    """What the disk refused, and what to do about it."""
    what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return f"{what}: check the path, its permissions and the free space, then run this again"


def settings() -> "Settings":
    """The settings of this process; a bad one ends the command with exit code 2."""
    from agent.settings import read_settings

    try:
        return read_settings()
    except ValueError as error:
        stop(str(error), BAD_INPUT)


@contextmanager
def service() -> "Iterator[Client]":
    """A client of the running service; what it refuses ends the command, with 2 where the input was bad."""
    from api.cli.client import Refused, Unreachable, connect

    try:
        given = settings()
        with connect(given.api_url, given.api_key) as client:
            yield client
    except Unreachable as error:
        stop(str(error), FAILED)
    except Refused as error:
        hint = "; for this command, set NIGHTSCHOOL_API_KEY to it" if error.status == UNAUTHORIZED else ""
        stop(f"{error}{hint}", BAD_INPUT if error.status < 500 else FAILED)


def console() -> "Console":
    """The terminal, or plain text where the output is no terminal."""
    from rich.console import Console

    return Console(highlight=False)

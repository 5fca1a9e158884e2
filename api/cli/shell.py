"""Shared by all commands: settings, the connection to the service, exit codes and output as JSON.

Slow imports happen only when a command runs, so that --help is fast.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn
from urllib.parse import quote

import typer

if TYPE_CHECKING:
    from agent.settings import Settings
    from api.cli.client import Client
    from api.cli.screen import Screen

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line instead of a table.")]

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130
UNAUTHORIZED = 401


def stop(message: str, code: int) -> NoReturn:
    """Ends the command with a message on stderr."""
    from memory.language.control_characters import clean

    print(f"nightschool: {clean(message)}", file=sys.stderr)
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
    from api.cli.running import service_url

    try:
        configuration = settings()
        with connect(service_url(configuration), configuration.api_key) as client:
            yield client
    except Unreachable as error:
        stop(str(error), FAILED)
    except Refused as error:
        hint = "; for this command, set NIGHTSCHOOL_API_KEY to it" if error.status == UNAUTHORIZED else ""
        stop(f"{error}{hint}", BAD_INPUT if error.status < 500 else FAILED)


def segment(id: str) -> str:
    """The id, quoted as one segment of a path; one that cannot be any ends the command."""
    if not id.strip(". "):
        stop(f"{id!r} is not an id", BAD_INPUT)
    return quote(id, safe="", errors="replace")


def console() -> "Screen":
    """The terminal, or plain text where the output is no terminal."""
    from api.cli.screen import Screen

    return Screen()


def say(sentence: str, result: Mapping[str, Any], *, as_json: bool) -> None:
    """Says what a command did: in a sentence, or with --json as an object."""
    if as_json:
        print_json([result])
    else:
        console().print(sentence, markup=False, soft_wrap=True)


def print_json(rows: Iterable[Mapping[str, Any]]) -> None:
    """Prints one JSON object a line, in ASCII: control characters are escaped."""
    for row in rows:
        print(json.dumps(row, default=str))

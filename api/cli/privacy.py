"""`nightschool privacy`: shows personal data that was encrypted in what is logged and learned."""

import sys
from typing import Annotated

import typer

from api.cli.shell import BAD_INPUT, settings, stop

app = typer.Typer()


@app.callback()
def privacy() -> None:
    """Personal data in what is logged and learned."""


@app.command()
def reveal(
    text: Annotated[str | None, typer.Argument(help="The text; without it, the standard input.")] = None,
) -> None:
    """Print a text with its encrypted values in plain; needs the key NIGHTSCHOOL_PRIVACY_KEY."""
    from agent.privacy.policies import reveal as in_plain

    key = settings().privacy_key
    if key is None:
        stop("set NIGHTSCHOOL_PRIVACY_KEY to the key that the service has", BAD_INPUT)
    try:
        print(in_plain(sys.stdin.read() if text is None else text, key.get_secret_value().encode()))
    except ValueError as error:
        stop(str(error), BAD_INPUT)

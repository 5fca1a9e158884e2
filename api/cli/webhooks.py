"""`nightschool webhooks`: show the secret that verifies the webhooks of one's own runs."""

import typer

from api.cli.shell import console, service

app = typer.Typer(no_args_is_help=True)


@app.callback()
def webhooks() -> None:
    """Webhooks of runs."""


@app.command()
def secret() -> None:
    """Print the secret (Standard Webhooks) of the owner of this key, NIGHTSCHOOL_API_KEY."""
    with service() as client:
        console().print(client.get("/v1/webhooks/secret")["secret"], markup=False, soft_wrap=True)

"""`nightschool webhooks`: show the secret that verifies the webhooks of one's own runs."""

import typer

from api.cli.shell import AsJson, say, service

app = typer.Typer(no_args_is_help=True)


@app.callback()
def webhooks() -> None:
    """Webhooks of runs."""


@app.command()
def secret(as_json: AsJson = False) -> None:
    """Print the secret (Standard Webhooks) of the owner of this key, NIGHTSCHOOL_API_KEY."""
    with service() as client:
        shown = client.get("/v1/webhooks/secret")
    say(shown["secret"], shown, as_json=as_json)

"""`nightschool keys`: make, list and revoke API keys.

They work on the database itself, so the service need not run.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from api.cli.own_database import with_database
from api.cli.shell import BAD_INPUT, AsJson, console, print_json, say, stop

if TYPE_CHECKING:
    from datetime import datetime

    from memory.server.keys import ApiKeys

app = typer.Typer(no_args_is_help=True)
T = TypeVar("T")


@app.command()
def create(
    scope: Annotated[
        str,
        typer.Option(help="metrics; or chat, annotate, learn, approve, admin: each includes those before."),
    ],
    owner: Annotated[
        str, typer.Option(help="Owner whose threads the key sees; an owner may have several keys.")
    ] = "default",
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, once."""
    from memory.server.keys import SCOPES

    if scope not in SCOPES:
        stop(f"no scope {scope!r}: use {', '.join(SCOPES)}", BAD_INPUT)
    made, text = _with_keys(lambda keys: keys.create(owner, scope))
    say(text, made.model_dump(mode="json") | {"key": text}, as_json=as_json)
    typer.echo(f"Key {made.id} of {owner}, scope {scope}: keep it, it cannot be shown again.", err=True)


@app.command("list")
def listing(as_json: AsJson = False) -> None:
    """List keys, without their secrets."""
    from api.cli.screen import table

    keys = _with_keys(lambda store: store.list())
    if as_json:
        print_json(key.model_dump(mode="json") for key in keys)
        return
    rows = [(key.id, key.owner, key.scope, _when(key.created_at), _when(key.revoked_at)) for key in keys]
    console().print(table(("key", "owner", "scope", "created", "revoked"), rows))


@app.command()
def revoke(key: Annotated[str, typer.Argument(help="Id of a key.")], as_json: AsJson = False) -> None:
    """Revoke a key; it stops working within seconds."""
    _with_keys(lambda keys: keys.revoke(key))
    say(f"Key {key} is revoked.", {"id": key, "revoked": True}, as_json=as_json)


def _when(time: "datetime | None") -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else ""


def _with_keys(work: "Callable[[ApiKeys], Awaitable[T]]") -> T:
    from memory.server.keys import ApiKeys

    return with_database(lambda database, heads: work(ApiKeys(database, audit_heads=heads)))

"""`nightschool keys`: make, list and revoke API keys.

They work on the database itself, so the service need not run.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from api.cli.shell import BAD_INPUT, FAILED, AsJson, console, print_json, settings, stop

if TYPE_CHECKING:
    from datetime import datetime

    from memory.server.keys import ApiKeys

app = typer.Typer(no_args_is_help=True)
T = TypeVar("T")


@app.command()
def create(
    scope: Annotated[
        str, typer.Option(help="chat, annotate, learn, approve or admin; each includes those before it.")
    ],
    owner: Annotated[
        str, typer.Option(help="Owner whose threads the key sees; an owner may have several keys.")
    ] = "default",
) -> None:
    """Make a key and print it, once."""
    from memory.server.keys import SCOPES

    if scope not in SCOPES:
        stop(f"no scope {scope!r}: use {', '.join(SCOPES)}", BAD_INPUT)
    try:
        made, text = _with_keys(lambda keys: keys.create(owner, scope))
    except ValueError as error:
        stop(str(error), BAD_INPUT)
    console().print(text, markup=False)
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
def revoke(key: Annotated[str, typer.Argument(help="Id of a key.")]) -> None:
    """Revoke a key; it stops working within seconds."""
    _with_keys(lambda keys: keys.revoke(key))
    console().print(f"Key {key} is revoked.", markup=False)


def _when(time: "datetime | None") -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else ""


def _with_keys(work: "Callable[[ApiKeys], Awaitable[T]]") -> T:
    from memory.database.database import open_database
    from memory.errors import StoreUnavailable, UnknownKey
    from memory.server.audit import HEADS
    from memory.server.keys import ApiKeys

    configuration = settings()
    configuration.home.mkdir(parents=True, exist_ok=True)

    async def run() -> Any:
        database = await open_database(configuration.relational_url)
        try:
            return await work(ApiKeys(database, audit_heads=configuration.path(HEADS)))
        finally:
            await database.aclose()

    try:
        result: T = asyncio.run(run())
    except UnknownKey as error:
        stop(str(error), BAD_INPUT)
    except StoreUnavailable as error:
        stop(str(error), FAILED)
    return result

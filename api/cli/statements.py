"""`nightschool statements`: list what users stated about themselves, and forget what one of them stated."""

from typing import Annotated

import typer

from api.cli.shell import AsJson, console, print_json, say, service
from memory.language.counting import counted

app = typer.Typer()
UNIT = "The pseudonym as listed, or the user or conversation as the client named it."


@app.callback(invoke_without_command=True)
def statements(
    context: typer.Context,
    unit: Annotated[str | None, typer.Option(help=UNIT)] = None,
    status: Annotated[str | None, typer.Option(help="current, stale or contradicted.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Statements at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List what users stated about themselves, latest first."""
    if context.invoked_subcommand is not None:
        return
    from api.cli.screen import table

    with service() as client:
        listed = client.get("/v1/statements", unit=unit, status=status, limit=limit)
    if as_json:
        print_json(listed)
        return
    rows = [(each["unit"], each["text"], each["status"], each["said_at"][:10]) for each in listed]
    console().print(table(("user", "statement", "status", "said"), rows, prose=["statement"]))


@app.command()
def forget(unit: Annotated[str, typer.Argument(help=UNIT)], as_json: AsJson = False) -> None:
    """Delete what one user stated; nights do not read their earlier turns for it again."""
    with service() as client:
        forgotten = client.delete("/v1/statements", unit=unit)
    say(f"{counted(forgotten['statements'], 'statement')} of {unit} forgotten.", forgotten, as_json=as_json)

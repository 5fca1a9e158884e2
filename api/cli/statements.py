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
    with service() as client:
        listed = client.get("/v1/statements", unit=unit, status=status, limit=limit)
    if as_json:
        print_json(listed)
    else:
        _show(listed)


@app.command()
def disputed(
    domain: Annotated[str | None, typer.Option(help="Of this domain alone.")] = None, as_json: AsJson = False
) -> None:
    """List current statements in which users contradict each other; lessons hold none of them."""
    with service() as client:
        disputes = client.get("/v1/statements/disputed", domain=domain)
    if as_json:
        print_json(disputes)
        return
    for dispute in disputes:
        _show(dispute["statements"])
    if not disputes:
        console().print("No users contradict each other.")


@app.command()
def forget(unit: Annotated[str, typer.Argument(help=UNIT)], as_json: AsJson = False) -> None:
    """Delete what one user stated; nights do not read their earlier turns for it again."""
    with service() as client:
        forgotten = client.delete("/v1/statements", unit=unit)
    say(f"{counted(forgotten['statements'], 'statement')} of {unit} forgotten.", forgotten, as_json=as_json)


def _show(listed: list[dict[str, str]]) -> None:
    from api.cli.screen import table

    rows = [(each["unit"], each["text"], each["status"], each["said_at"][:10]) for each in listed]
    console().print(table(("user", "statement", "status", "said"), rows, prose=["statement"]))

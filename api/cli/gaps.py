"""The commands about gaps: list, dismiss, merge and delete what the service could not answer."""

from typing import Annotated

import typer

from api.cli.shell import AsJson, console, print_json, service

app = typer.Typer()
Id = Annotated[str, typer.Argument(help="Id of a gap.")]


@app.callback(invoke_without_command=True)
def gaps(
    context: typer.Context,
    status: Annotated[str | None, typer.Option(help="open, learning, closed or dismissed.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the questions that the service could not answer."""
    if context.invoked_subcommand is not None:
        return
    from api.cli.screen import table

    with service() as client:
        found = client.get("/v1/gaps", status=status)
    if as_json:
        print_json(found)
        return
    rows = [
        (gap["id"], gap["question"], gap["domain"], gap["status"], gap["opened_at"][:19]) for gap in found
    ]
    console().print(table(("gap", "question", "domain", "status", "opened"), rows, prose=["question"]))


@app.command()
def dismiss(gap: Id) -> None:
    """Never learn a gap: its question opens no other one."""
    with service() as client:
        client.post(f"/v1/gaps/{gap}/dismiss")
    console().print(f"Gap {gap} is dismissed.", markup=False)


@app.command()
def delete(gap: Id) -> None:
    """Remove a gap and its question."""
    with service() as client:
        client.delete(f"/v1/gaps/{gap}")
    console().print(f"Gap {gap} is gone.", markup=False)


@app.command()
def merge(gap: Id, into: Annotated[str, typer.Option(help="Id of the gap that stands for both.")]) -> None:
    """Let another gap stand for this one's question too."""
    with service() as client:
        client.post(f"/v1/gaps/{gap}/merge", {"into": into})
    console().print(f"Gap {gap} is merged into {into}.", markup=False)

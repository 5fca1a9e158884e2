"""`nightschool gaps`: list, dismiss, merge and delete questions that the service could not answer."""

from typing import Annotated

import typer

from api.cli.shell import AsJson, console, print_json, say, segment, service

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
        listed = client.get("/v1/gaps", status=status)
    if as_json:
        print_json(listed)
        return
    rows = [
        (gap["id"], gap["question"], gap["domain"], gap["status"], gap["opened_at"][:19]) for gap in listed
    ]
    console().print(table(("gap", "question", "domain", "status", "opened"), rows, prose=["question"]))


@app.command()
def dismiss(gap: Id, as_json: AsJson = False) -> None:
    """Mark a gap as never to be learned; its question opens no new gap."""
    with service() as client:
        dismissed = client.post(f"/v1/gaps/{segment(gap)}/dismiss")
    say(f"Gap {gap} is dismissed.", dismissed, as_json=as_json)


@app.command()
def delete(gap: Id, as_json: AsJson = False) -> None:
    """Remove a gap and its question."""
    with service() as client:
        client.delete(f"/v1/gaps/{segment(gap)}")
    say(f"Gap {gap} was deleted.", {"id": gap, "deleted": True}, as_json=as_json)


@app.command()
def merge(
    gap: Id,
    into: Annotated[str, typer.Option(help="Id of the gap that stays.")],
    as_json: AsJson = False,
) -> None:
    """Merge a gap into another one that covers its question."""
    with service() as client:
        merged = client.post(f"/v1/gaps/{segment(gap)}/merge", {"into": into})
    say(f"Gap {gap} is merged into {into}.", merged, as_json=as_json)

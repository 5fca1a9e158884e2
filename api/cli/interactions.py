"""`nightschool interactions`: list the logged chat turns, show one, export a period."""

from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.output_file import copy_lines, output_file
from api.cli.shell import AsJson, console, print_json, segment, service

app = typer.Typer()
Since = Annotated[str | None, typer.Option(help="Turns from this date or time on, in UTC.")]
Until = Annotated[str | None, typer.Option(help="Turns before this date or time, in UTC.")]


@app.callback(invoke_without_command=True)
def interactions(
    context: typer.Context,
    since: Since = None,
    until: Until = None,
    domain: Annotated[str | None, typer.Option(help="Only turns in this domain.")] = None,
    unit: Annotated[str | None, typer.Option(help="Only turns of this user or conversation.")] = None,
    outcome: Annotated[
        str | None,
        typer.Option(help="answered, answered_unsure, answered_from_sources or abstained."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most turns listed.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the logged chat turns, newest first."""
    if context.invoked_subcommand is not None:
        return
    from api.cli.screen import table

    with service() as client:
        turns = client.get(
            "/v1/interactions",
            since=since,
            until=until,
            domain=domain,
            unit=unit,
            outcome=outcome,
            limit=limit,
        )
    if as_json:
        print_json(turns)
        return
    rows = [
        (
            turn["id"],
            turn["created_at"][:19],
            turn["domain"],
            turn["outcome"],
            turn["question"],
            turn["answer"],
        )
        for turn in turns
    ]
    columns = ("interaction", "time", "domain", "outcome", "question", "answer")
    console().print(table(columns, rows, prose=["question", "answer"]))


@app.command()
def show(
    interaction: Annotated[str, typer.Argument(help="Id of a turn, as any client sees it.")],
    as_json: AsJson = False,
) -> None:
    """Show a turn with its feedback and its implicit score."""
    with service() as client:
        reply = client.get(f"/v1/interactions/{segment(interaction)}")
    if as_json:
        print_json([reply])
        return
    turn = reply["interaction"]
    lines = [f"{name}: {turn[name]}" for name in ("id", "created_at", "domain", "adapter", "outcome")]
    lines += [f"question: {turn['question']}", f"answer: {turn['answer']}"]
    lines += [f"{given['kind']}: {_said(given)}" for given in reply["feedback"]]
    lines.append(f"implicit score: {reply['implicit_score']:g}")
    console().print("\n".join(lines), markup=False)


@app.command()
def export(
    file: Annotated[Path | None, typer.Argument(help="Where to write it; without it, the terminal.")] = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Export the turns of a period with their feedback, one JSON object a line."""
    with service() as client, output_file(file) as output:
        count = copy_lines(client.lines("/v1/interactions/export", since=since, until=until), output)
    if file is not None:
        console().print(f"Wrote {count} turns to {file}.", markup=False)


def _said(given: dict[str, Any]) -> str:
    return str(given["text"]) if given["text"] is not None else f"{given['value']:g}"

"""`nightschool night attacks`: how nights tried to lead the model astray, and what it answered."""

from typing import Annotated

import typer

from api.cli.shell import AsJson, console, print_json, service


def attacks(
    night: Annotated[str | None, typer.Argument(help="Id of a night; by default all nights.")] = None,
    domain: Annotated[str | None, typer.Option(help="Only this domain's.")] = None,
    all_results: Annotated[
        bool, typer.Option("--all", help="Also those that the model did not fall for.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Attacks to list.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List the attacks that the model fell for, newest first, with its answers."""
    from api.cli.screen import table

    result = None if all_results else "fell"
    with service() as client:
        found = client.get("/v1/attacks", night_id=night, domain=domain, result=result, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            each["kind"].replace("_", " "),
            each["result"],
            each["question"],
            each["planted"],
            each["expected"],
            each["answer"],
            each["citation"]["source"],
        )
        for each in found
    ]
    columns = ("attack", "model", "question", "planted", "right", "answer", "source")
    console().print(table(columns, rows, prose=["question", "planted", "right", "answer"]))

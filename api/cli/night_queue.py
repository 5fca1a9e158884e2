"""`nightschool night queue`: what nights leave to people: revised answers and golden pairs."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from api.cli.shell import BAD_INPUT, AsJson, console, print_json, segment, service, stop

app = typer.Typer(invoke_without_command=True)
Json = Mapping[str, Any]
Id = Annotated[str, typer.Argument(help="Id of a revision or a golden pair.")]
LIMIT = 1000
NOT_FOUND = 404


@app.callback()
def queue(context: typer.Context, as_json: AsJson = False) -> None:
    """List revised answers and golden pairs that people should look at, newest first."""
    if context.invoked_subcommand is not None:
        return
    from api.cli.screen import table

    with service() as client:
        revisions = client.get("/v1/revisions", status="needs_person", limit=LIMIT)
        golden = client.get("/v1/golden", queue="true", limit=LIMIT)
    items = [{"kind": "revision", **each} for each in revisions]
    items += [{"kind": "golden", **each} for each in golden]
    if as_json:
        print_json(items)
        return
    rows = [
        (
            each["id"],
            each["kind"],
            each["status"].replace("_", " "),
            each["domain"],
            each["question"],
            each["answer"],
            _score(each),
        )
        for each in items
    ]
    columns = ("id", "kind", "status", "domain", "question", "answer", "score")
    console().print(table(columns, rows, prose=["question", "answer"]))


@app.command()
def approve(id: Id, as_json: AsJson = False) -> None:
    """Approve an answer: chat and lessons use it."""
    _decide(id, approve=True, as_json=as_json)


@app.command()
def decline(id: Id, as_json: AsJson = False) -> None:
    """Decline an answer: it is neither given again nor taught."""
    _decide(id, approve=False, as_json=as_json)


def _decide(id: str, *, approve: bool, as_json: bool) -> None:
    """Decides on the revision with this id, or if there is none, on the golden pair."""
    from api.cli.client import Refused

    with service() as client:
        kind = "revision"
        try:
            decided = client.post(f"/v1/revisions/{segment(id)}", {"approve": approve})
        except Refused as error:
            if error.status != NOT_FOUND:
                raise
            kind = "golden"
            try:
                decided = client.post(f"/v1/golden/{segment(id)}", {"approve": approve})
            except Refused as refused:
                if refused.status != NOT_FOUND:
                    raise
                stop(f"no revision and no golden pair {id}: `nightschool night queue` lists them", BAD_INPUT)
    if as_json:
        print_json([{"kind": kind, **decided}])
    else:
        verb = "approved" if approve else "declined"
        console().print(f"{id} is {verb}: {decided['question']}", markup=False)


def _score(item: Json) -> str:
    return f"{item['score_after']:.1f}" if item["kind"] == "revision" else f"{item['score']:.1f}"

"""`nightschool annotate`: sample interactions, judge answer pairs, measure agreement, export and import."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.shell import (
    BAD_INPUT,
    FAILED,
    AsJson,
    console,
    disk_trouble,
    print_json,
    say,
    segment,
    service,
    stop,
)

if TYPE_CHECKING:
    from api.cli.client import Client

app = typer.Typer(no_args_is_help=True)
Json = Mapping[str, Any]
Id = Annotated[str, typer.Argument(help="Id of an annotation item.")]
Batch = Annotated[str | None, typer.Option(help="Only this batch.")]
Format = Annotated[str, typer.Option(help="dpo (JSON lines, as TRL reads it), sharegpt or argilla.")]
Annotator = Annotated[
    str | None, typer.Option(help="Who judges; by default the key's owner. Only admins may name another.")
]
Choice = Annotated[str, typer.Option(help="a, b, both_good, both_bad or skip.")]

PATIENCE_SECONDS = 3600.0
"""A sample of 200 long answers takes a small model some minutes on two cores, and a large one longer."""
KEYS = {"a": "a", "b": "b", "g": "both_good", "x": "both_bad", "s": "skip"}
QUIT = "q"
QUESTION = "Better answer? [a, b, g: both good, x: both bad, s: skip, q: quit]"


@app.command()
def sample(
    batch: Annotated[str, typer.Option(help="Name of the batch that the items are added to.")],
    count: Annotated[int, typer.Option(min=1, max=200, help="Most items.")] = 50,
    since: Annotated[str | None, typer.Option(help="Turns from this date or time on, in UTC.")] = None,
    until: Annotated[str | None, typer.Option(help="Turns before this date or time, in UTC.")] = None,
    domain: Annotated[str | None, typer.Option(help="Only turns in this domain.")] = None,
    alternative: Annotated[
        str,
        typer.Option(help="What to compare with: sampled, teacher, an adapter's name, or the base model's."),
    ] = "sampled",
    annotators: Annotated[int, typer.Option(min=1, max=9, help="Judgements wanted of each item.")] = 1,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the draw; by default made from the name.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw logged turns into a batch, 70% by priority, each beside another answer (minutes)."""
    body = {
        "batch": batch,
        "count": count,
        "since": since,
        "until": until,
        "domain": domain,
        "alternative": alternative,
        "annotators": annotators,
        "seed": seed,
    }
    with service() as client:
        drawn = client.post("/v1/annotation/sample", body, seconds=PATIENCE_SECONDS)
    if as_json:
        print_json([drawn])
        return
    lines = [
        f"{drawn['items']} items added to {batch}, of {drawn['drawn']} turns drawn from {drawn['candidates']}"
        f" ({drawn['duplicates']} near duplicates left out)",
        *(f"  {count} by {reason}" for reason, count in drawn["reasons"].items()),
        *(f"  {count} dropped: {reason}" for reason, count in drawn["dropped"].items()),
    ]
    console().print("\n".join(lines), markup=False)


@app.command("next")
def next_item(annotator: Annotator = None, as_json: AsJson = False) -> None:
    """Show items one after another and ask which answer is better; with --json, print one and end."""
    with service() as client:
        while True:
            task = client.get("/v1/annotation/next", annotator=annotator)
            if as_json:
                print_json([] if task is None else [task])
                return
            if task is None:
                console().print("Nothing is left to judge.", markup=False)
                return
            if not _ask(client, task, annotator):
                return


@app.command()
def judge(
    item: Id,
    choice: Choice,
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    rewrite: Annotated[str | None, typer.Option(help="A better answer than both.")] = None,
    annotator: Annotator = None,
    as_json: AsJson = False,
) -> None:
    """Judge one item without being asked."""
    with service() as client:
        _judge(client, item, annotator, choice=choice, comment=comment, rewrite=rewrite)
    say(f"Item {item}: {choice}.", {"item_id": item, "choice": choice}, as_json=as_json)


@app.command()
def release(item: Id, annotator: Annotator = None, as_json: AsJson = False) -> None:
    """Give an item back, so that others can have it."""
    with service() as client:
        client.post(f"{_path(item)}/release", {"annotator": annotator})
    say(f"Item {item} is given back.", {"item_id": item, "released": True}, as_json=as_json)


@app.command()
def gold(
    item: Id,
    choice: Annotated[str, typer.Option(help="a, b, both_good or both_bad; none makes it ordinary again.")],
    as_json: AsJson = False,
) -> None:
    """Make an item a gold item, which every annotator gets, and which shows who is careless."""
    wanted = None if choice == "none" else choice
    with service() as client:
        client.post(f"{_path(item)}/gold", {"choice": wanted})
    result = {"item_id": item, "gold": wanted}
    say(f"Item {item} is {'gold' if wanted else 'ordinary'}.", result, as_json=as_json)


@app.command()
def items(
    batch: Batch = None,
    status: Annotated[str | None, typer.Option(help="open or done.")] = None,
    domain: Annotated[str | None, typer.Option(help="Only items in this domain.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most items listed.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List items, newest first, with what annotators must not see."""
    from api.cli.screen import table

    with service() as client:
        found = client.get("/v1/annotation/items", batch=batch, status=status, domain=domain, limit=limit)
    if as_json:
        print_json(found["items"])
        return
    rows = [
        (
            each["id"],
            each["batch"],
            each["status"],
            each["gold"] or "",
            f"{each['a_source']} / {each['b_source']}",
            each["messages"][-1]["content"],
        )
        for each in found["items"]
    ]
    console().print(table(("item", "batch", "status", "gold", "a / b", "question"), rows, prose=["question"]))
    for counts in found["batches"]:
        figures = ", ".join(f"{counts[name]} {name}" for name in ("open", "done", "gold", "judgements"))
        console().print(f"{counts['batch']}: {figures}", markup=False)


@app.command()
def agreement(batch: Batch = None, as_json: AsJson = False) -> None:
    """Show how far annotators agree, and who is careless."""
    from api.cli.screen import table

    with service() as client:
        found = client.get("/v1/annotation/agreement", batch=batch)
    if as_json:
        print_json([found])
        return
    alpha, trusted = _figure(found["alpha"]), _figure(found["trusted_alpha"])
    console().print(
        f"Krippendorff's alpha {alpha} on {found['items']} items; {trusted} without careless annotators",
        markup=False,
    )
    rows = [
        (
            each["annotator"],
            str(each["judgements"]),
            str(each["skips"]),
            f"{each['right']} of {each['gold']}",
            _interval(each["accuracy"]),
            _figure(each["median_seconds"]),
            "; ".join(each["reasons"]) or "trusted",
        )
        for each in found["annotators"]
    ]
    columns = ("annotator", "judged", "skipped", "gold right", "95% interval", "median s", "verdict")
    console().print(table(columns, rows, prose=["verdict"]))


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Where to write it.")],
    format: Format,
    batch: Batch = None,
    domain: Annotated[str | None, typer.Option(help="Only items in this domain.")] = None,
    since: Annotated[str | None, typer.Option(help="Judgements from this date or time on, in UTC.")] = None,
    until: Annotated[str | None, typer.Option(help="Judgements before this date or time, in UTC.")] = None,
    reveal: Annotated[
        bool, typer.Option(help="Argilla: with answers' sources and gold choices, which annotators see too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write preference pairs (dpo, sharegpt), or items with judgements (argilla)."""
    with service() as client:
        lines = list(
            client.lines(
                "/v1/annotation/export",
                format=format,
                batch=batch,
                domain=domain,
                since=since,
                until=until,
                reveal="true" if reveal else None,
            )
        )
    try:
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as error:
        stop(disk_trouble(error), FAILED)
    records = sum(1 for line in lines if line.startswith("{"))
    result = {"records": records, "file": str(file)}
    say(f"{records} records written to {file}.", result, as_json=as_json)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="The file to read.")],
    format: Format,
    batch: Annotated[str | None, typer.Option(help="Name of the batch; by default the file's.")] = None,
    domain: Annotated[str | None, typer.Option(help="Domain of records that name none.")] = None,
    gold: Annotated[bool, typer.Option(help="Make pairs gold items instead of judged ones.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read preference pairs or items with judgements: all of the file, or nothing if a line is wrong."""
    from api.cli.client import REPLY_SECONDS

    try:
        data = file.read_bytes()
    except OSError as error:
        stop(disk_trouble(error), BAD_INPUT)
    query = {"format": format, "batch": batch or file.stem, "gold": "true" if gold else "false"}
    if domain is not None:
        query["domain"] = domain
    with service() as client:
        found = client.upload(
            "/v1/annotation/import", data, "application/octet-stream", seconds=REPLY_SECONDS, **query
        )
    sentence = (
        f"{found['records']} records read into {found['batch']}: {found['items']} new items,"
        f" {found['judgements']} judgements"
    )
    say(sentence, found, as_json=as_json)


def _ask(client: "Client", task: Json, annotator: str | None) -> bool:
    """Shows an item and sends what the annotator decides; False after quitting."""
    shown = [f"{message['role']}: {message['content']}" for message in task["messages"]]
    shown += ["", f"A: {task['a']}", "", f"B: {task['b']}", ""]
    console().print("\n".join(shown), markup=False)
    started = time.monotonic()
    try:
        while (key := typer.prompt(QUESTION).strip().lower()) not in (*KEYS, QUIT):
            console().print(f"{key!r} is none of them.", markup=False)
        if key == QUIT:
            client.post(f"{_path(task['item_id'])}/release", {"annotator": annotator})
            return False
        seconds = time.monotonic() - started
        comment = typer.prompt("Comment", default="", show_default=False)
        rewrite = "" if key == "s" else typer.prompt("A better answer", default="", show_default=False)
    except typer.Abort:
        client.post(f"{_path(task['item_id'])}/release", {"annotator": annotator})
        raise
    _judge(
        client,
        task["item_id"],
        annotator,
        choice=KEYS[key],
        comment=comment,
        rewrite=rewrite.strip() or None,
        seconds=seconds,
    )
    return True


def _judge(client: "Client", item: str, annotator: str | None, **judgement: Any) -> None:
    client.post(f"{_path(item)}/judgement", {"annotator": annotator, **judgement})


def _path(item: str) -> str:
    return f"/v1/annotation/items/{segment(item)}"


def _figure(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"


def _interval(interval: Mapping[str, float] | None) -> str:
    return "" if interval is None else f"{interval['lower']:.0%} to {interval['upper']:.0%}"

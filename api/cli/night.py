"""`nightschool night`: start, follow, stop and schedule nights, and read their morning reports."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli import night_attacks, night_queue
from api.cli.shell import (
    BAD_INPUT,
    FAILED,
    INTERRUPTED,
    AsJson,
    console,
    disk_trouble,
    print_json,
    segment,
    service,
)
from api.cli.shell import stop as fail

if TYPE_CHECKING:
    from api.cli.client import Client

app = typer.Typer(no_args_is_help=True)
app.add_typer(night_queue.app, name="queue", help="List what waits for people; approve or decline it.")
app.command("attacks")(night_attacks.attacks)
Json = Mapping[str, Any]
NightId = Annotated[str | None, typer.Argument(help="Id of a night; by default the newest.")]
OfDomain = Annotated[str | None, typer.Option(help="The newest night of this domain.")]
FOLLOW_SECONDS = 1.0
UNFINISHED = ("waiting", "running")
ANY_LOAD = 1e6
"""Turns a minute that no service reaches, so that every one counts as quiet."""


@app.command()
def run(
    domain: Annotated[str | None, typer.Argument(help="Domain; by default the base model's.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Start of the period; by default the end of the last night.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="End of the period; by default now.")] = None,
    train: Annotated[bool, typer.Option("--train/--no-train", help="Whether to train and deploy.")] = True,
    now: Annotated[bool, typer.Option("--now", help="Do not wait until the service is quiet.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Show its steps until it ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start a night; it waits until the service is quiet, unless --now is given."""
    body: dict[str, Any] = {"domain": domain, "since": since, "until": until}
    body = {name: value for name, value in body.items() if value is not None}
    body["options"] = _options(train) | ({"quiet_requests": ANY_LOAD} if now else {})
    with service() as client:
        night = client.post("/v1/nights", body)
        if not as_json:
            line = f"Night {night['id']} goes over {night['domain']}, {_period(night)}."
            console().print(line, markup=False)
        if follow:
            night = _follow(client, night["id"], quiet=as_json)
    if as_json:
        print_json([night])
    elif follow:
        console().print(_ended(night), markup=False)
        console().print(f"The report: nightschool night report {night['id']}", markup=False)
    if night["status"] in ("failed", "stopped"):
        fail(f"the night {night['status']}: {night['reason']}", FAILED)


@app.command()
def status(night: NightId = None, domain: OfDomain = None, as_json: AsJson = False) -> None:
    """Show a night with its steps."""
    from api.cli.screen import table

    with service() as client:
        found = _night(client, night, domain)
    if as_json:
        print_json([found])
        return
    screen = console()
    screen.print(f"{found['id']} {found['domain']}: {_ended(found)}", markup=False)
    screen.print(_period(found), markup=False)
    rows = [
        (step["step"], step["status"], f"{step['seconds']:.1f} s", step["reason"]) for step in found["steps"]
    ]
    screen.print(table(("step", "status", "took", "what"), rows, prose=["what"]))


@app.command("list")
def listing(
    domain: Annotated[str | None, typer.Option(help="Only this domain's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Nights to list.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List nights, newest first."""
    from api.cli.screen import table

    with service() as client:
        nights = client.get("/v1/nights", domain=domain, limit=limit)
    if as_json:
        print_json(nights)
        return
    rows = [
        (
            each["id"],
            each["domain"],
            each["status"],
            each["began_at"][:16],
            each["adapter"] or "",
            each["reason"],
        )
        for each in nights
    ]
    console().print(
        table(("night", "domain", "status", "began", "deployed", "reason"), rows, prose=["reason"])
    )


@app.command()
def report(
    night: NightId = None,
    domain: OfDomain = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the report to this Markdown file.")] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Write the plots over the nights to this PNG file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the morning report of a night, or write it to files."""
    with service() as client:
        path = f"/v1/nights/{segment(_night(client, night, domain)['id'])}"
        if as_json:
            print_json([client.get(f"{path}/report")])
        if markdown is not None:
            _write(markdown, as_json, client.download(f"{path}/report", format="markdown"))
        if plot is not None:
            _write(plot, as_json, client.download(f"{path}/plot.png"))
        if not as_json and markdown is None and plot is None:
            text = client.download(f"{path}/report", format="markdown").decode()
            console().print(text, markup=False, end="")


@app.command()
def stop(night: Annotated[str, typer.Argument(help="Id of a night.")], as_json: AsJson = False) -> None:
    """Stop a night; what it has done so far stays."""
    with service() as client:
        stopped = client.post(f"/v1/nights/{segment(night)}/stop")
    if as_json:
        print_json([stopped])
    else:
        console().print(f"Night {night} of {stopped['domain']} is {stopped['status']}.", markup=False)


@app.command()
def schedule(
    domain: Annotated[str | None, typer.Argument(help="Domain whose nights start every day.")] = None,
    at: Annotated[str, typer.Option(help="Time of day.")] = "02:00",
    timezone: Annotated[str, typer.Option(help="IANA name, such as Europe/Berlin.")] = "UTC",
    train: Annotated[bool, typer.Option("--train/--no-train", help="Whether to train and deploy.")] = True,
    off: Annotated[bool, typer.Option("--off", help="End the domain's schedule.")] = False,
    list_all: Annotated[bool, typer.Option("--list", help="List all schedules.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start a domain's night every day at a time, in place of an earlier schedule; list or end schedules."""
    if list_all == (domain is not None):
        fail("name a domain, or list all with --list", BAD_INPUT)
    with service() as client:
        if list_all:
            _list_schedules(client.get("/v1/nights/schedule"), as_json)
            return
        assert domain is not None, "checked above"
        if off:
            client.delete("/v1/nights/schedule", domain=domain)
            if as_json:
                print_json([{"domain": domain, "at": None}])
            else:
                console().print(f"The nights of {domain} are no longer scheduled.", markup=False)
            return
        body = {"domain": domain, "at": at, "timezone": timezone, "options": _options(train)}
        scheduled = client.put("/v1/nights/schedule", body)
    if as_json:
        print_json([scheduled])
    else:
        line = f"Nights of {domain} start at {at} {timezone}, next on {scheduled['next_start'][:16]}."
        console().print(line, markup=False)


def _options(train: bool) -> dict[str, Any]:
    return {} if train else {"train": False}


def _list_schedules(schedules: list[Json], as_json: bool) -> None:
    from api.cli.screen import table

    if as_json:
        print_json(schedules)
        return
    rows = [
        (
            each["domain"],
            each["at"],
            each["timezone"],
            each["next_start"][:16] if each["enabled"] else "paused",
            _yes(each["options"]["train"]),
        )
        for each in schedules
    ]
    console().print(table(("domain", "at", "time zone", "next", "trains"), rows))


def _follow(client: "Client", id: str, *, quiet: bool) -> dict[str, Any]:
    """Waits for the end of the night, and prints each step when it has ended."""
    shown: set[str] = set()
    try:
        while True:
            night: dict[str, Any] = client.get(f"/v1/nights/{segment(id)}")
            for step in night["steps"]:
                if step["step"] not in shown and not quiet:
                    reason = " / ".join(step["reason"].splitlines())
                    line = f"{step['step']:<12}{step['status']:<9}{step['seconds']:>7.1f} s  {reason}"
                    console().print(line.rstrip(), markup=False)
                shown.add(step["step"])
            if night["status"] not in UNFINISHED:
                return night
            time.sleep(FOLLOW_SECONDS)
    except KeyboardInterrupt:
        fail(f"the night goes on: `nightschool night stop {id}` stops it", INTERRUPTED)


def _night(client: "Client", id: str | None, domain: str | None) -> dict[str, Any]:
    """The night with this id, or the newest one; the command ends if there is none."""
    if id is not None:
        found: dict[str, Any] = client.get(f"/v1/nights/{segment(id)}")
        return found
    nights: list[dict[str, Any]] = client.get("/v1/nights", domain=domain, limit=1)
    if not nights:
        fail("there was no night yet: start one with `nightschool night run`", BAD_INPUT)
    return nights[0]


def _ended(night: Json) -> str:
    parts = [night["status"]]
    if night["reason"]:
        parts.append(night["reason"])
    if night["adapter"]:
        parts.append(f"deployed {night['adapter']}")
    return ", ".join(parts)


def _period(night: Json) -> str:
    return f"turns from {night['since'][:16]} until {night['until'][:16]} UTC"


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _write(path: Path, quiet: bool, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        fail(disk_trouble(error), BAD_INPUT)
    if not quiet:
        console().print(f"Written: {path}", markup=False)

"""`nightschool preferences`: build preference sets from feedback, list, show and train them."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.shell import FAILED, AsJson, console, print_json, segment, service, stop

if TYPE_CHECKING:
    from api.cli.client import Client

app = typer.Typer(no_args_is_help=True)
Digest = Annotated[str, typer.Argument(help="Digest of a preference set.")]
FOLLOW_SECONDS = 1.0


@app.command()
def build(
    domain: Annotated[str, typer.Argument(help="Domain whose feedback is used.")],
    since: Annotated[str | None, typer.Option(help="Start of the period, such as 2026-01-31T08:00Z.")] = None,
    until: Annotated[str | None, typer.Option(help="End of the period; by default now.")] = None,
    algorithm: Annotated[str, typer.Option(help="dpo, kto, sft or grpo.")] = "dpo",
    minimum: Annotated[int, typer.Option(help="Fewest pairs that the set may have.", min=2)] = 500,
    as_json: AsJson = False,
) -> None:
    """Build a set from feedback and annotation; `train` trains it."""
    period = {"since": since, "until": until}
    body: dict[str, Any] = {"domain": domain, "algorithm": algorithm, "minimum": minimum}
    body |= {name: moment for name, moment in period.items() if moment is not None}
    with service() as client:
        built = client.post("/v1/preferences", body)
    if as_json:
        print_json([built])
        return
    _print_summary(built)
    for reason, count in sorted(built["dropped"].items()):
        console().print(f"left out    {count}: {reason}", markup=False)


@app.command("list")
def listing(as_json: AsJson = False) -> None:
    """List all sets, newest first."""
    from api.cli.screen import table

    with service() as client:
        sets = client.entries("/v1/preferences", "digest")
    if as_json:
        print_json(sets)
        return
    rows = [
        (
            each["digest"],
            each["domain"],
            each["algorithm"],
            str(each["pairs"]),
            str(each["held_out"]),
            each["training"] or "not trained",
            (each["until"] or "")[:19],
        )
        for each in sets
    ]
    console().print(table(("set", "domain", "algorithm", "pairs", "held out", "training", "until"), rows))


@app.command()
def show(digest: Digest, as_json: AsJson = False) -> None:
    """Show a set's counts, or with --json its pairs, one a line."""
    with service() as client:
        if as_json:
            whole = client.get(f"/v1/preferences/{segment(digest)}")
            print_json([{**pair, "held_out": False} for pair in whole["pairs"]])
            print_json([{**pair, "held_out": True} for pair in whole["held_out"]])
            return
        found = [each for each in client.entries("/v1/preferences", "digest") if each["digest"] == digest]
        if not found:
            client.get(f"/v1/preferences/{segment(digest)}")  # says why not
            return
        _print_summary(found[0])
        if found[0]["training"] is not None:
            _print_training(client.get(f"/v1/preferences/{segment(digest)}/training"))


@app.command()
def train(
    digest: Digest,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for its end, and show the gates.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a set on top of its domain's live adapter; the result is a candidate if it passes its gates."""
    with service() as client:
        job = client.post(f"/v1/preferences/{segment(digest)}/train")
        if follow:
            job = _follow(client, digest, quiet=as_json)
    if as_json:
        print_json([job])
    else:
        _print_training(job)
    if job["result"] is not None and job["result"]["status"] == "failed":
        stop(job["result"]["reason"], FAILED)


def _follow(client: "Client", digest: str, *, quiet: bool) -> dict[str, Any]:
    """Waits for the end of the training, and prints each new phase."""
    shown = ""
    while True:
        job: dict[str, Any] = client.get(f"/v1/preferences/{segment(digest)}/training")
        if job["result"] is not None:
            return job
        progress = job["progress"]
        if progress["phase"] != shown and not quiet:
            shown = progress["phase"]
            console().print(f"{shown:<12}{progress['message']}", markup=False)
        time.sleep(FOLLOW_SECONDS)


def _print_summary(found: dict[str, Any]) -> None:
    origins = ", ".join(f"{count} by {origin}" for origin, count in sorted(found["by_origin"].items()))
    lines = (
        ("set", found["digest"]),
        ("domain", found["domain"]),
        ("algorithm", found["algorithm"]),
        ("pairs", f"{found['pairs']} to train, {found['held_out']} held out ({origins})"),
        ("training", found["training"] or f"nightschool preferences train {found['digest']}"),
    )
    for name, text in lines:
        console().print(f"{name:<12}{text}", markup=False)


def _print_training(job: dict[str, Any]) -> None:
    result, progress = job["result"], job["progress"]
    if result is None:
        count = f" {progress['done']} of {progress['total']}" if progress["total"] else ""
        console().print(f"{progress['phase']}{count} {progress['message']}".rstrip(), markup=False)
        return
    console().print(f"{result['status']:<12}{result['reason']}", markup=False)
    for check in job["verdict"]["checks"] if job["verdict"] else ():
        mark = "passed" if check["passed"] else "FAILED"
        figure = f"{check['figure']:.3f}" if check["measured"] else "not measured"
        console().print(f"  {mark}  {check['name']}: {figure}, goal {check['goal']}", markup=False)
    if result["status"] == "candidate":
        advice = f"nightschool ab start, or nightschool adapters promote {result['adapter']}"
        console().print(f"{'next':<12}{advice}", markup=False)

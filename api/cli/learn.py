"""Commands for learning: start a run and watch it, decide on one, list runs.

Computes no figure; the report of the run holds all that is shown.
"""

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.shell import BAD_INPUT, FAILED, INTERRUPTED, AsJson, console, print_json, service, stop

if TYPE_CHECKING:
    from api.cli.client import Client

Domain = Annotated[str | None, typer.Option(help="Only documents of this domain.")]


def learn(
    topic: Annotated[str | None, typer.Argument(help="What to learn, such as 'Rust ownership'.")] = None,
    question: Annotated[str | None, typer.Option(help="Learn what this question needs instead.")] = None,
    gap: Annotated[str | None, typer.Option(help="Learn what this open gap needs instead.")] = None,
    domain: Domain = None,
    approval: Annotated[str | None, typer.Option(help="auto, or human: a person approves.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only this document; repeatable.")] = None,
    ask: Annotated[list[str] | None, typer.Option(help="Ask this before and after; repeatable.")] = None,
) -> None:
    """Learn a topic from the library: live progress, then the figures before and after."""
    if sum(part is not None for part in (topic, question, gap)) != 1:
        stop("name one of: a topic, --question or --gap", BAD_INPUT)
    body: dict[str, object] = {
        "topic": topic, "question": question, "gap_id": gap, "domain": domain, "approval": approval,
        "sources": source, "questions": ask,
    }  # fmt: skip
    with service() as client:
        started = client.post("/v1/learn", {key: value for key, value in body.items() if value is not None})
        watch(client, started["run_id"])


def approve(
    run: Annotated[str, typer.Argument(help="Id of a run that waits for approval.")],
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Let a run's curriculum through to the trainer, and watch it."""
    _decide(run, approved=True, reason=reason)


def reject(
    run: Annotated[str, typer.Argument(help="Id of a run that waits for approval.")],
    reason: Annotated[str, typer.Option(help="Why.")],
) -> None:
    """Stop a run's curriculum: nothing is trained."""
    _decide(run, approved=False, reason=reason)


def cancel(
    run: Annotated[str, typer.Argument(help="Id of a run that goes on, or waits for approval.")],
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """End a run where it is."""
    with service() as client:
        client.post(f"/v1/learn/{run}/cancel", {"by": getpass.getuser(), "reason": reason})
    console().print(f"Run {run} is being ended.", markup=False)


def runs(as_json: AsJson = False) -> None:
    """List learn runs, newest first."""
    from api.cli.screen import table

    with service() as client:
        found = [run | {"status": _status(client, run)} for run in client.get("/v1/learn")]
    if as_json:
        print_json(found)
        return
    rows = [(run["id"], run["subject"], run["status"], run["started_at"][:19]) for run in found]
    console().print(table(("run", "subject", "status", "started"), rows, prose=["subject"]))


def _status(client: "Client", run: dict[str, Any]) -> str:
    """How it ended, or whether it works or waits for a person."""
    if run["outcome"] is not None:
        return str(run["outcome"]["status"])
    return str(client.get(f"/v1/learn/{run['id']}")["standing"]["status"])


def _decide(run: str, *, approved: bool, reason: str) -> None:
    decision = {"approved": approved, "by": getpass.getuser(), "reason": reason}
    with service() as client:
        client.post(f"/v1/learn/{run}/approval", decision)
        if approved:
            watch(client, run)
        else:
            console().print(f"Run {run} was stopped; its gap stays open.", markup=False)


def watch(client: "Client", run_id: str, wanted: str = "learned") -> None:
    """Shows a run's progress and then its report; ends the command with 1 unless its outcome is `wanted`."""
    from api.cli.display import show_report, show_run

    screen = console()
    screen.print(f"Run {run_id}", markup=False)
    try:
        name, last = show_run(screen, client.follow(run_id))
    except KeyboardInterrupt:
        stop(
            f"the run goes on: `nightschool runs` lists it, `nightschool cancel {run_id}` ends it",
            INTERRUPTED,
        )
    if name == "waiting":
        asks = last["asks"]
        parts = f" in {asks['lessons']} lessons" if asks.get("lessons", 1) > 1 else ""
        screen.print(
            f"{asks['pairs']} pairs about {asks['facts']} facts{parts} wait for approval:\n"
            f"  nightschool approve {run_id}\n  nightschool reject {run_id} --reason ...",
            markup=False,
        )
        return
    report = client.get(f"/v1/learn/{run_id}")["report"]
    show_report(screen, report)
    outcome = last["outcome"]
    if outcome["status"] != wanted:
        stop(f"{outcome['status']}: {outcome['reason']}", FAILED)

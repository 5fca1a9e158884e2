"""Commands for learning: start a run and watch it, approve, reject or cancel one, list runs."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.shell import (
    BAD_INPUT,
    FAILED,
    INTERRUPTED,
    AsJson,
    console,
    print_json,
    say,
    segment,
    service,
    stop,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from api.cli.client import Client

Domain = Annotated[str | None, typer.Option(help="Only documents of this domain.")]


def learn(
    topic: Annotated[str | None, typer.Argument(help="What to learn, such as 'Rust ownership'.")] = None,
    question: Annotated[str | None, typer.Option(help="Learn what answers this question.")] = None,
    gap: Annotated[str | None, typer.Option(help="Learn what answers the question of this open gap.")] = None,
    domain: Domain = None,
    approval: Annotated[str | None, typer.Option(help="Who approves the curriculum: auto or human.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Use only this document; repeatable.")] = None,
    ask: Annotated[
        list[str] | None, typer.Option(help="Question to ask before and after; repeatable.")
    ] = None,
    web: Annotated[bool, typer.Option("--web", help="Search the web if the library has no answer.")] = False,
    web_always: Annotated[bool, typer.Option("--web-always", help="Search the web in any case.")] = False,
    by_model: Annotated[
        bool, typer.Option("--by-model", help="Let the model decide what to look up, if its card allows it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Learn a topic from the library: live progress, then the figures before and after."""
    if sum(part is not None for part in (topic, question, gap)) != 1:
        stop("name one of: a topic, --question or --gap", BAD_INPUT)
    body: dict[str, object] = {
        "topic": topic, "question": question, "gap_id": gap, "domain": domain, "approval": approval,
        "sources": source, "questions": ask,
        "web": "always" if web_always else "fallback" if web else None,
        "explorer": "model" if by_model else None,
    }  # fmt: skip
    with service() as client:
        started = client.post("/v1/learn", {key: value for key, value in body.items() if value is not None})
        watch(client, started["run_id"], as_json=as_json)


def approve(
    run: Annotated[str, typer.Argument(help="Id of a run that waits for approval.")],
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what another key's owner wants to have learned, approve exactly that, and watch its training."""
    from api.cli.display import show_lessons

    with service() as client:
        waiting = client.get(f"/v1/learn/{segment(run)}")
        if waiting["asks"] is None:
            stop(f"run {run} is not waiting for approval: it is {waiting['status']}", BAD_INPUT)
        if as_json:
            print_json([waiting["asks"]])
        else:
            show_lessons(console(), waiting["asks"])
        if not yes:
            if not sys.stdin.isatty():
                stop("nothing is approved yet: read this, and confirm it with --yes", BAD_INPUT)
            typer.confirm("Have the model learn this?", abort=True, err=True)
        decision = {"approved": True, "reason": reason, "digests": waiting["asks"]["digests"]}
        client.post(f"/v1/learn/{segment(run)}/approval", decision)
        watch(client, run, as_json=as_json)


def reject(
    run: Annotated[str, typer.Argument(help="Id of a run that waits for approval.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    as_json: AsJson = False,
) -> None:
    """Reject a run's curriculum; nothing is trained."""
    with service() as client:
        client.post(f"/v1/learn/{segment(run)}/approval", {"approved": False, "reason": reason})
    result = {"run_id": run, "approved": False}
    say(f"Run {run} was stopped; its gap stays open.", result, as_json=as_json)


def cancel(
    run: Annotated[str, typer.Argument(help="Id of a run that is working or waits for approval.")],
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: AsJson = False,
) -> None:
    """Cancel a run."""
    with service() as client:
        client.post(f"/v1/learn/{segment(run)}/cancel", {"reason": reason})
    say(f"Run {run} is being cancelled.", {"run_id": run, "cancelled": True}, as_json=as_json)


def runs(as_json: AsJson = False) -> None:
    """List learn runs, newest first."""
    from api.cli.screen import table

    with service() as client:
        listed = [run | {"status": _status(client, run)} for run in client.get("/v1/learn")]
    if as_json:
        print_json(listed)
        return
    rows = [(run["id"], run["subject"], run["status"], run["started_at"][:19]) for run in listed]
    console().print(table(("run", "subject", "status", "started"), rows, prose=["subject"]))


def _status(client: "Client", run: dict[str, Any]) -> str:
    """Its outcome, or whether it is working or waits for approval."""
    if run["outcome"] is not None:
        return str(run["outcome"]["status"])
    return str(client.get(f"/v1/learn/{run['id']}")["status"])


def watch(client: "Client", run_id: str, expected: str = "learned", *, as_json: bool = False) -> None:
    """Shows a run's progress and its report; ends the command with 1 unless the outcome is `expected`.

    With `as_json` these are the run's events, each with its name, and the run itself at the end.
    """
    from api.cli.display import show_report, show_run

    screen = console()
    if not as_json:
        screen.print(f"Run {run_id}", markup=False)
    try:
        events = client.follow(run_id)
        name, last = _print_events(events) if as_json else show_run(screen, events)
    except KeyboardInterrupt:
        stop(
            f"the run continues: `nightschool runs` lists it, `nightschool cancel {run_id}` stops it",
            INTERRUPTED,
        )
    if as_json:
        print_json([client.get(f"/v1/learn/{run_id}")])
    elif name == "waiting":
        asks = last["asks"]
        parts = f" in {asks['lessons']} lessons" if asks.get("lessons", 1) > 1 else ""
        screen.print(
            f"{asks['pairs']} pairs about {asks['facts']} facts{parts} wait for approval:\n"
            f"  nightschool approve {run_id}\n  nightschool reject {run_id} --reason ...",
            markup=False,
        )
    else:
        show_report(screen, client.get(f"/v1/learn/{run_id}")["report"])
    if name != "waiting" and (outcome := last["outcome"])["status"] != expected:
        stop(f"{outcome['status']}: {outcome['reason']}", FAILED)


def _print_events(events: "Iterable[tuple[str, dict[str, Any]]]") -> tuple[str, dict[str, Any]]:
    """Prints a run's events as they come; returns the last."""
    name, data = "", dict[str, Any]()
    for name, data in events:
        print_json([{"event": name} | data])
        sys.stdout.flush()
    return name, data

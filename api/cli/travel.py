"""Commands of time travel: history, replay, fork and diff; a replay or fork runs on a new thread."""

import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.shell import BAD_INPUT, FAILED, AsJson, console, print_json, say, service, stop

if TYPE_CHECKING:
    from api.cli.client import Client

MAX_STATES = 1000
SHOWN = 60
"""Characters of a value on the screen."""

RUN_KEYS = frozenset(
    {
        "run_id",
        "gap_id",
        "editors",
        "worked_seconds",
        "events",
        "interaction_id",
        "unit",
        "started_at",
    }
)
"""State keys that differ between any two runs."""

Thread = Annotated[str, typer.Argument(help="Id of a thread; a learn run's thread has the run's id.")]
At = Annotated[str, typer.Option("--at", help="Checkpoint, as `nightschool history` lists them.")]
Json = dict[str, Any]


def history(thread: Thread, as_json: AsJson = False) -> None:
    """List a thread's checkpoints, oldest first, with what each step changed."""
    from api.cli.screen import table

    with service() as client:
        states = past(client, thread)
    if as_json:
        print_json(states)
        return
    rows = [
        (
            state["checkpoint_id"],
            ", ".join(state["next"]) or "(the end)",
            "; ".join(", ".join(sorted(task["result"] or {})) for task in state["tasks"]),
        )
        for state in states
    ]
    console().print(table(("checkpoint", "next step", "changed keys"), rows, prose=["changed keys"]))


def replay(thread: Thread, at: At, as_json: AsJson = False) -> None:
    """Repeat the steps after a checkpoint on a new thread, and show what differs."""
    with service() as client:
        twin = _branch(client, thread, at, {}, quiet=as_json)
        before, after = past(client, thread)[-1], past(client, twin)[-1]
    found = differences(without_run_keys(before["values"]), without_run_keys(after["values"]))
    _print_differences(found, thread, twin, as_json=as_json)


def fork(
    thread: Thread,
    at: At,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value to change in the state first; JSON, text, or @file of JSON."),
    ] = None,
    stay: Annotated[bool, typer.Option("--stay", help="Only create the thread; run nothing on it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Continue from a checkpoint with a changed state, on a new thread."""
    values = dict(_parse_change(change) for change in changes or [])
    with service() as client:
        if stay:
            created = client.post(f"/threads/{thread}/fork", _fork_request(at, values))
            say(f"Thread {created['thread_id']}", created, as_json=as_json)
            return
        twin = _branch(client, thread, at, values, quiet=as_json)
        before, after = past(client, thread)[-1], past(client, twin)[-1]
    found = differences(before["values"], after["values"])
    _print_differences(found, thread, twin, as_json=as_json)


def diff(
    one: Annotated[str, typer.Argument(help="Id of a thread, or THREAD@CHECKPOINT.")],
    other: Annotated[str, typer.Argument(help="The same.")],
    as_json: AsJson = False,
) -> None:
    """Show what differs between two states, and what each step changed since they diverged."""
    from api.cli.screen import table

    with service() as client:
        sides = [(name, _until(client, name)) for name in (one, other)]
    (_, left), (_, right) = sides
    found = differences(left[-1]["values"], right[-1]["values"])
    _print_differences(found, one, other, as_json=as_json)
    shared = {state["checkpoint_id"] for state in left} & {state["checkpoint_id"] for state in right}
    for name, states in sides:
        diverged = [
            (state["checkpoint_id"], task["name"], ", ".join(sorted(task["result"] or {})))
            for state, following in pairwise(states)
            for task in state["tasks"]
            if following["checkpoint_id"] not in shared
        ]
        if as_json:
            columns = ("checkpoint_id", "step", "changed")
            print_json({"thread": name} | dict(zip(columns, row, strict=True)) for row in diverged)
        else:
            console().print(table((f"in {name} from", "step", "changed"), diverged, prose=["changed"]))


def past(client: "Client", thread: str) -> list[Json]:
    """A thread's states, oldest first. Ends the command if it has none."""
    states: list[Json] = client.post(f"/threads/{thread}/history", {"limit": MAX_STATES})
    if not states:
        stop(f"thread {thread} has no state yet: run something on it first", BAD_INPUT)
    return states[::-1]


def differences(before: Json, after: Json) -> list[tuple[str, str, str]]:
    """The keys whose values differ, with what both have where they begin to differ."""
    return [
        (key, *_excerpts(before.get(key), after.get(key)))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def _branch(client: "Client", thread: str, at: str, values: Json, *, quiet: bool) -> str:
    """Creates the thread and runs the remaining steps on it; ends the command with 1 if they fail."""
    created = client.post(f"/threads/{thread}/fork", _fork_request(at, values))
    twin: str = created["thread_id"]
    if not quiet:
        console().print(f"Thread {twin}: working from checkpoint {at}", markup=False)
    ended = client.post(f"/threads/{twin}/runs/wait", {"assistant_id": created["metadata"]["graph_id"]})
    if (error := ended.get("__error__")) is not None:
        stop(f"{error['error']}: {error['message']}; the last state is in thread {twin}", FAILED)
    if "__interrupt__" in ended and not quiet:
        console().print(f"It waits for approval: nightschool approve {twin}", markup=False)
    return twin


def _fork_request(at: str, values: Json) -> Json:
    return {"checkpoint_id": at} | ({"values": values} if values else {})


def _parse_change(text: str) -> tuple[str, Any]:
    """`key=value`: JSON if it parses, else text; `@file` is read."""
    key, equals, value = text.partition("=")
    if not (key and equals):
        stop(f"--set {text!r}: write key=value", BAD_INPUT)
    if value.startswith("@"):
        try:
            return key, json.loads(Path(value[1:]).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            stop(f"--set {key}: cannot read JSON from {value[1:]}: {error}", BAD_INPUT)
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _until(client: "Client", name: str) -> list[Json]:
    thread, _, checkpoint = name.partition("@")
    states = past(client, thread)
    if not checkpoint:
        return states
    there = [index for index, state in enumerate(states) if state["checkpoint_id"] == checkpoint]
    if not there:
        stop(f"thread {thread} has no checkpoint {checkpoint}: see `nightschool history {thread}`", BAD_INPUT)
    return states[: there[0] + 1]


def _print_differences(changes: list[tuple[str, str, str]], one: str, other: str, *, as_json: bool) -> None:
    from api.cli.screen import table

    if as_json:
        print_json({"key": key, "threads": {one: a, other: b}} for key, a, b in changes)
    elif changes:
        columns = ("key", f"in {one}", f"in {other}")
        console().print(table(columns, changes, prose=columns[1:]))
    else:
        console().print("The states are the same.")


def without_run_keys(value: Any) -> Any:
    """The state without the keys that name the run or its time, and without message ids."""
    if isinstance(value, list):
        return [without_run_keys(part) for part in value]
    if not isinstance(value, dict):
        return value
    if {"type", "content"} <= value.keys():
        return {"type": value["type"], "content": value["content"]}  # a message, without its id
    return {key: without_run_keys(part) for key, part in value.items() if key not in RUN_KEYS}


def _excerpts(one: Any, other: Any) -> tuple[str, str]:
    """Two different values as JSON, cut where they are long to what surrounds the first difference."""
    texts = [json.dumps(value, ensure_ascii=False) for value in (one, other)]
    pairs = enumerate(zip(*texts, strict=False))
    differing = next((at for at, (a, b) in pairs if a != b), min(map(len, texts)))
    start = max(0, differing - SHOWN // 3)
    first, second = (_cut(text, start) for text in texts)
    return first, second


def _cut(text: str, start: int) -> str:
    """At most `SHOWN` characters of a text from there on, with a mark where it goes on."""
    part = f"…{text[start + 1 :]}" if start else text
    return part if len(part) <= SHOWN else part[: SHOWN - 1] + "…"

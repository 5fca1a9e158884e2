"""Commands of time travel: a thread's past, continuing from one of its states, and differences.

Changes no thread that it is given: what goes on does so on a thread of its own.
"""

import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.shell import BAD_INPUT, FAILED, AsJson, console, print_json, service, stop

if TYPE_CHECKING:
    from api.cli.client import Client

MOST_STATES = 1000
SHOWN = 60
"""Characters of a value on the screen."""

OF_THE_RUN = frozenset(
    {"run_id", "gap_id", "working_since", "handed_over_at", "events", "interaction_id", "unit"}
)
"""Keys that no two runs have in common."""

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


def replay(thread: Thread, at: At) -> None:
    """Do again what came after a checkpoint, on a thread of its own, and say whether it came out the same."""
    with service() as client:
        twin = _branch(client, thread, at, {})
        before, after = past(client, thread)[-1], past(client, twin)[-1]
    _tell(differences(_without_names(before["values"]), _without_names(after["values"])), thread, twin)


def fork(
    thread: Thread,
    at: At,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value to change in the state first; JSON, text, or @file of JSON."),
    ] = None,
    stay: Annotated[bool, typer.Option("--stay", help="Only make the thread; run nothing on it.")] = False,
) -> None:
    """Go on from a checkpoint with another state, on a thread of its own."""
    values = dict(_setting(change) for change in changes or [])
    with service() as client:
        if stay:
            made = client.post(f"/threads/{thread}/fork", _asked(at, values))
            console().print(f"Thread {made['thread_id']}", markup=False)
            return
        twin = _branch(client, thread, at, values)
        before, after = past(client, thread)[-1], past(client, twin)[-1]
    _tell(differences(before["values"], after["values"]), thread, twin)


def diff(
    one: Annotated[str, typer.Argument(help="Id of a thread, or THREAD@CHECKPOINT.")],
    other: Annotated[str, typer.Argument(help="The same.")],
) -> None:
    """Show what differs between two states, and what each step did since they parted."""
    from api.cli.screen import table

    with service() as client:
        sides = [(name, _until(client, name)) for name in (one, other)]
    (_, left), (_, right) = sides
    _tell(differences(left[-1]["values"], right[-1]["values"]), one, other)
    shared = {state["checkpoint_id"] for state in left} & {state["checkpoint_id"] for state in right}
    for name, states in sides:
        parted = [
            (state["checkpoint_id"], task["name"], ", ".join(sorted(task["result"] or {})))
            for state, following in pairwise(states)
            for task in state["tasks"]
            if following["checkpoint_id"] not in shared
        ]
        console().print(table((f"in {name} from", "the step", "changed"), parted, prose=["changed"]))


def past(client: "Client", thread: str) -> list[Json]:
    """A thread's states, oldest first. Ends the command if it has none."""
    states: list[Json] = client.post(f"/threads/{thread}/history", {"limit": MOST_STATES})
    if not states:
        stop(f"thread {thread} has no state yet: run something on it first", BAD_INPUT)
    return states[::-1]


def differences(before: Json, after: Json) -> list[tuple[str, str, str]]:
    """The keys whose values differ, with both."""
    return [
        (key, _short(before.get(key)), _short(after.get(key)))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def _branch(client: "Client", thread: str, at: str, values: Json) -> str:
    """Makes the thread and runs what follows on it. Ends the command with 1 if that failed."""
    made = client.post(f"/threads/{thread}/fork", _asked(at, values))
    twin: str = made["thread_id"]
    console().print(f"Thread {twin}: working from checkpoint {at}", markup=False)
    ended = client.post(f"/threads/{twin}/runs/wait", {"assistant_id": made["metadata"]["graph_id"]})
    if (error := ended.get("__error__")) is not None:
        stop(f"{error['error']}: {error['message']}; what was reached is in thread {twin}", FAILED)
    if "__interrupt__" in ended:
        console().print(f"It waits for a person: nightschool approve {twin}", markup=False)
    return twin


def _asked(at: str, values: Json) -> Json:
    return {"checkpoint_id": at} | ({"values": values} if values else {})


def _setting(text: str) -> tuple[str, Any]:
    """`key=value`: JSON where it is some, else text; `@file` is read."""
    key, equals, value = text.partition("=")
    if not (key and equals):
        stop(f"--set {text!r}: write key=value", BAD_INPUT)
    if value.startswith("@"):
        try:
            return key, json.loads(Path(value[1:]).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            stop(f"--set {key}: {value[1:]} holds no JSON that can be read: {error}", BAD_INPUT)
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


def _tell(found: list[tuple[str, str, str]], one: str, other: str) -> None:
    from api.cli.screen import table

    if found:
        columns = ("key", f"in {one}", f"in {other}")
        console().print(table(columns, found, prose=columns[1:]))
    else:
        console().print("The states are the same.")


def _without_names(value: Any) -> Any:
    """The state without what names the run and its time, which no replay has in common with the original."""
    if isinstance(value, list):
        return [_without_names(part) for part in value]
    if not isinstance(value, dict):
        return value
    if {"type", "content"} <= value.keys():
        return {"type": value["type"], "content": value["content"]}  # a message, without its id
    return {key: _without_names(part) for key, part in value.items() if key not in OF_THE_RUN}


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"

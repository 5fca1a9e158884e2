"""A thread's checkpoints as HTML: a drawing of them with their branches, a table, and one state."""

import json
from collections.abc import Mapping, Sequence

from api.cli.travel import differences
from api.console.drawing import LETTER, circle, drawing, line, words
from api.console.markup import block, fields, folded, heading, moment, paragraph, table
from api.console.service import Json

ROW, LANE, RADIUS = 26.0, 22.0, 6.0
LONGEST_VALUE = 20_000
"""Characters of one value of a state that are shown."""
PREVIEW = 90


def in_order(states: Sequence[Json]) -> list[Json]:
    """A thread's states, oldest first, each with its number and what `made` it."""
    oldest_first = list(reversed(states))
    upcoming = {state["checkpoint_id"]: state["next"] for state in oldest_first}
    return [
        {**state, "number": number, "made": _made_by(state, upcoming)}
        for number, state in enumerate(oldest_first, 1)
    ]


def origin_of(thread: Json) -> tuple[str, str] | None:
    """The thread and the checkpoint that a thread was forked from. Clients can write its metadata."""
    origin = thread["metadata"].get("forked_from")
    if not isinstance(origin, dict):
        return None
    return str(origin.get("thread_id")), str(origin.get("checkpoint_id"))


def label(state: Json) -> str:
    """A checkpoint as a choice of a list."""
    return f"{state['number']}. after {state['made']}, next: {_next(state)}"


def timeline(states: Sequence[Json], branches: Sequence[Json], thread: Json) -> str:
    """A thread's checkpoints and the threads that were forked from them."""
    about = {"thread": thread["thread_id"], "graph": thread["metadata"].get("graph_id")}
    parts = [fields({**about, "status": thread["status"], "changed": moment(thread["updated_at"])})]
    if origin := origin_of(thread):
        parts.append(paragraph(f"A branch of {origin[0]}, from its checkpoint {origin[1]}.", "quiet"))
    if not states:
        return block(*parts, paragraph("It has no checkpoint yet.", "quiet"))
    rows = [
        (state["number"], state["made"], _next(state), state["created_at"][11:19], state["checkpoint_id"])
        for state in states
    ]
    columns = ("number", "made by", "next", "time", "checkpoint")
    forks = [
        (each["thread_id"], _number_of(each, states), each["status"], moment(each["updated_at"]))
        for each in branches
    ]
    parts += [drawn(states, branches), table("Checkpoints", columns, rows)]
    if forks:
        parts.append(table("Branches on threads of their own", ("thread", "from", "status", "time"), forks))
    return block(*parts)


def drawn(states: Sequence[Json], branches: Sequence[Json]) -> str:
    """The checkpoints as a tree, oldest at the top; a fork begins a lane of its own."""
    places: dict[str, tuple[float, float]] = {}
    continued: set[str] = set()
    lines: list[str] = []
    marks: list[str] = []
    lanes, row = 1, 0
    labels: list[tuple[float, str, str]] = []
    for state in states:
        id, parent = state["checkpoint_id"], state["parent_checkpoint_id"]
        origin = places.get(parent)
        if origin is None or parent not in continued:
            x = LANE if origin is None else origin[0]
        else:
            lanes += 1
            x = lanes * LANE
        continued.add(parent)
        places[id] = place = (x, (row + 0.5) * ROW)
        if origin is not None:
            lines.append(line((origin[0], origin[1]), place, kind="way", bend=x if x != origin[0] else None))
        marks.append(circle(place, RADIUS, kind="done" if state["next"] else "last"))
        labels.append((place[1], label(state), ""))
        row += 1
        for branch in _forked_at(branches, id):
            lanes += 1
            at = (lanes * LANE, (row + 0.5) * ROW)
            lines.append(line(place, at, kind="way", bend=at[0]))
            marks.append(circle(at, RADIUS, kind="now"))
            labels.append((at[1], f"branch {branch['thread_id']} ({branch['status']})", "strong"))
            row += 1
    left = lanes * LANE + 16
    named = [words((left, y + 4), said, kind=kind) for y, said, kind in labels]
    width = left + max(len(said) for _, said, _ in labels) * LETTER
    described = f"{len(states)} checkpoints, {len(branches)} branches on other threads; a table follows"
    return drawing(described, width, row * ROW, [*lines, *marks, *named])


def state_details(state: Json, before: Json | None) -> str:
    """A checkpoint's state, key by key, and what its step changed."""
    values: Mapping[str, object] = state["values"] or {}
    parts = []
    if "__start__" in state["next"]:
        parts.append(paragraph("No branch can start here, before the input was read.", "quiet"))
    parts.append(heading("What the step changed"))
    if before is None:
        parts.append(paragraph("It is the first checkpoint.", "quiet"))
    else:
        changed = differences(dict(before["values"] or {}), dict(values))
        parts.append(table("Changes", ("key", "before", "after"), changed))
    parts.append(heading(f"The state, next: {_next(state)}"))
    parts += [_value(key, values[key]) for key in sorted(values)]
    return block(*parts)


def compared(differing: Sequence[Sequence[str]], one: str, other: str) -> str:
    """What differs between the ends of two threads."""
    if not differing:
        return paragraph("It ended in the same state.", "good")
    return table("What differs at the end", ("key", f"in {one}", f"in {other}"), differing)


def _value(key: str, value: object) -> str:
    short = json.dumps(value, ensure_ascii=False)
    if len(short) <= PREVIEW:
        return fields({key: short})
    whole = json.dumps(value, ensure_ascii=False, indent=2)
    if len(whole) > LONGEST_VALUE:
        whole = f"{whole[:LONGEST_VALUE]}…\n({len(whole)} characters in all: `nightschool history --json`)"
    return folded(f"{key}: {short[:PREVIEW]}…", whole)


def _made_by(state: Json, upcoming: Mapping[str, Sequence[str]]) -> str:
    source = state["metadata"].get("source")
    if source != "loop":
        return {"input": "the start", "update": "a person's change", "fork": "a fork"}.get(
            source, str(source)
        )
    steps = upcoming.get(state["parent_checkpoint_id"]) or ()
    return ", ".join("the input" if step == "__start__" else step for step in steps) or "a step"


def _forked_at(branches: Sequence[Json], id: str) -> list[Json]:
    return [each for each in branches if (origin := origin_of(each)) and origin[1] == id]


def _next(state: Json) -> str:
    return ", ".join("the input" if step == "__start__" else step for step in state["next"]) or "the end"


def _number_of(thread: Json, states: Sequence[Json]) -> str:
    """The number of the checkpoint that a branch is from; its id where that is not listed."""
    origin = origin_of(thread)
    id = origin[1] if origin else ""
    return next((str(state["number"]) for state in states if state["checkpoint_id"] == id), id)

"""What LangGraph's routes share: ids, checkpoints, and what a body may hold.

Its routes are in `threads`, `thread_runs` and `assistants`; errors are `{"detail": ...}`.
"""

import json
import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request
from langgraph.types import StateSnapshot
from pydantic import BaseModel, ConfigDict, Field

from api.errors import langgraph_errors
from api.limits import READ_METHODS, reject_nul
from graphs.server import serialization
from memory.server.threads import Json, Thread, Ttl

ID = r"^[0-9A-Za-z_-]{1,64}$"
Id = Annotated[str, Field(pattern=ID)]
ThreadId = Annotated[str, Path(pattern=ID)]
RunId = Annotated[str, Path(pattern=ID)]
CheckpointId = Annotated[str, Path(pattern=ID)]
Limit = Annotated[int, Field(ge=1, le=1000)]
Offset = Annotated[int, Field(ge=0, le=10**9)]
Select = list[Annotated[str, Field(max_length=200)]]


_LONG = re.compile(rb"\d{19}")


async def _storable(request: Request) -> None:
    """Stores take no NUL and no integer beyond 64 bits, and find that out too late."""
    await reject_nul(request)
    body = b"" if request.method in READ_METHODS else await request.body()
    if _LONG.search(body):
        json.loads(body, parse_int=_integer)


def _integer(digits: str) -> int:
    if not -(2**63) <= (number := int(digits)) < 2**63:
        raise ValueError("the body holds an integer beyond 64 bits, which cannot be stored: send it as text")
    return number


def surface(tag: str) -> APIRouter:
    """A router of this surface."""
    return APIRouter(
        tags=[tag],
        dependencies=[Depends(_storable)],
        responses=langgraph_errors(400, 401, 403, 404, 409, 413, 422, 503),
    )


class Body(BaseModel):
    """A request's body; a field that we do not know is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")


class Checkpoint(Body):
    """A checkpoint as clients name it."""

    thread_id: Id | None = None
    checkpoint_ns: Literal[""] | None = ""
    checkpoint_id: Id | None = None
    checkpoint_map: Json | None = None


class Lifetime(Body):
    """A thread's time to live: minutes, and what is left afterwards."""

    ttl: float = Field(gt=0, le=60 * 24 * 366 * 10)
    strategy: Literal["delete", "keep_latest"] = "delete"

    @property
    def record(self) -> Ttl:
        """As the store has it."""
        return Ttl(minutes=self.ttl, strategy=self.strategy)


def checkpoint_of(thread_id: str, checkpoint: Checkpoint | None, checkpoint_id: str | None) -> str | None:
    """The checkpoint that a request means, or None for the latest. Raises ValueError for another thread's."""
    if checkpoint is None:
        return checkpoint_id
    if checkpoint.thread_id not in (None, thread_id):
        raise ValueError("checkpoint.thread_id names another thread: send a checkpoint of this one")
    if checkpoint_id not in (None, checkpoint.checkpoint_id):
        raise ValueError("checkpoint and checkpoint_id name two checkpoints: send one")
    return checkpoint.checkpoint_id


def picked(value: Json, select: Select | None) -> Json:
    """Only the selected fields; `values.key` selects one key of the values."""
    if select is None:
        return value
    chosen: Json = {}
    for field in select:
        name, _, key = field.partition(".")
        if name not in value or (key and name != "values"):
            raise ValueError(f"select: no field {field!r}: there are {', '.join(sorted(value))}")
        if key:
            held = value["values"] or {}
            chosen.setdefault("values", {}).update({key: held[key]} if key in held else {})
        else:
            chosen[name] = value[name]
    return chosen


def thread_reply(thread: Thread, *, ttl: bool = False) -> Json:
    """A thread as clients know it."""
    reply = thread.model_dump(mode="json", exclude={"owner", "ttl", "expires_at"}) | {"config": {}}
    if ttl and thread.ttl is not None:
        reply["ttl"] = {
            "ttl_minutes": thread.ttl.minutes,
            "strategy": thread.ttl.strategy,
            "expires_at": thread.model_dump(mode="json")["expires_at"],
        }
    return reply


def state_reply(thread_id: str, snapshot: StateSnapshot | None) -> Json:
    """A state as clients know it; None is that of a thread which has none yet."""
    if snapshot is None:
        empty = _named({"thread_id": thread_id})
        return {
            "values": {}, "next": [], "tasks": [], "metadata": {}, "created_at": None, "checkpoint": empty,
            "parent_checkpoint": None, "interrupts": [], "checkpoint_id": None, "parent_checkpoint_id": None,
        }  # fmt: skip
    checkpoint = _named(snapshot.config["configurable"])
    parent = _named(snapshot.parent_config["configurable"]) if snapshot.parent_config else None
    state: Json = serialization.plain(
        {
            "values": snapshot.values,
            "next": snapshot.next,
            "tasks": [_task(task) for task in snapshot.tasks],
            "metadata": snapshot.metadata,
            "created_at": snapshot.created_at,
            "checkpoint": checkpoint,
            "parent_checkpoint": parent,
            "interrupts": snapshot.interrupts,
            "checkpoint_id": checkpoint["checkpoint_id"],
            "parent_checkpoint_id": parent["checkpoint_id"] if parent else None,
        }
    )
    return state


def checkpoint_reply(config: Any) -> Json:
    """What an update of state answers with."""
    named = _named(config["configurable"])
    return {"checkpoint": named, "configurable": named, "checkpoint_id": named["checkpoint_id"]}


def _named(configurable: Any) -> Json:
    return {
        "thread_id": configurable["thread_id"],
        "checkpoint_ns": configurable.get("checkpoint_ns", ""),
        "checkpoint_id": configurable.get("checkpoint_id"),
        "checkpoint_map": configurable.get("checkpoint_map"),
    }


def _task(task: Any) -> Json:
    within = task.state
    return {
        "id": task.id,
        "name": task.name,
        "path": task.path,
        "error": None if task.error is None else repr(task.error),
        "interrupts": task.interrupts,
        "checkpoint": _named(within["configurable"]) if isinstance(within, dict) else None,
        "state": state_reply("", within) if isinstance(within, StateSnapshot) else None,
        "result": task.result,
    }

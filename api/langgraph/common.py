"""Shared parts of the routes in LangGraph's format: router, field types, replies for threads and states."""

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


_LONG_NUMBER = re.compile(rb"\d{19}")


async def _check_storable(request: Request) -> None:
    """Rejects NUL and integers beyond 64 bits, which stores would reject only later. Raises ValueError."""
    await reject_nul(request)
    body = b"" if request.method in READ_METHODS else await request.body()
    if _LONG_NUMBER.search(body):
        json.loads(body, parse_int=_integer)


def _integer(digits: str) -> int:
    if not -(2**63) <= (number := int(digits)) < 2**63:
        raise ValueError(
            "the body contains an integer beyond 64 bits, which cannot be stored: send it as text"
        )
    return number


def langgraph_router(tag: str) -> APIRouter:
    """A router for routes in LangGraph's format, with their checks and error replies."""
    return APIRouter(
        tags=[tag],
        dependencies=[Depends(_check_storable)],
        responses=langgraph_errors(400, 401, 403, 404, 409, 413, 422, 503),
    )


class Body(BaseModel):
    """A request body. Unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid")


class Checkpoint(Body):
    """A checkpoint in LangGraph's format."""

    thread_id: Id | None = None
    checkpoint_ns: Literal[""] | None = ""
    checkpoint_id: Id | None = None
    checkpoint_map: Json | None = None


class TtlBody(Body):
    """A thread's time to live in minutes, and what happens then."""

    ttl: float = Field(gt=0, le=60 * 24 * 366 * 10)
    strategy: Literal["delete", "keep_latest"] = "delete"

    @property
    def record(self) -> Ttl:
        """The same as a record."""
        return Ttl(minutes=self.ttl, strategy=self.strategy)


def requested_checkpoint(
    thread_id: str, checkpoint: Checkpoint | None, checkpoint_id: str | None
) -> str | None:
    """The id of the requested checkpoint; None for the latest. Raises ValueError if the fields disagree."""
    if checkpoint is None:
        return checkpoint_id
    if checkpoint.thread_id not in (None, thread_id):
        raise ValueError("checkpoint.thread_id is another thread: send a checkpoint of this one")
    if checkpoint_id not in (None, checkpoint.checkpoint_id):
        raise ValueError("checkpoint and checkpoint_id are different: send only one")
    return checkpoint.checkpoint_id


def select_fields(value: Json, select: Select | None) -> Json:
    """The selected fields only; `values.KEY` selects one key of the values. Raises ValueError."""
    if select is None:
        return value
    selected: Json = {}
    for field in select:
        name, _, key = field.partition(".")
        if name not in value or (key and name != "values"):
            raise ValueError(f"select: no field {field!r}; the fields are {', '.join(sorted(value))}")
        if key:
            values = value["values"] or {}
            selected.setdefault("values", {}).update({key: values[key]} if key in values else {})
        else:
            selected[name] = value[name]
    return selected


def thread_reply(thread: Thread, *, ttl: bool = False) -> Json:
    """A thread in LangGraph's format."""
    reply = thread.model_dump(mode="json", exclude={"owner", "ttl", "expires_at"}) | {"config": {}}
    if ttl and thread.ttl is not None:
        reply["ttl"] = {
            "ttl_minutes": thread.ttl.minutes,
            "strategy": thread.ttl.strategy,
            "expires_at": thread.model_dump(mode="json")["expires_at"],
        }
    return reply


def state_reply(thread_id: str, snapshot: StateSnapshot | None) -> Json:
    """A state in LangGraph's format; None is the state of a thread that has none yet."""
    if snapshot is None:
        empty = _checkpoint({"thread_id": thread_id})
        return {
            "values": {}, "next": [], "tasks": [], "metadata": {}, "created_at": None, "checkpoint": empty,
            "parent_checkpoint": None, "interrupts": [], "checkpoint_id": None, "parent_checkpoint_id": None,
        }  # fmt: skip
    checkpoint = _checkpoint(snapshot.config["configurable"])
    parent = _checkpoint(snapshot.parent_config["configurable"]) if snapshot.parent_config else None
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
    """The reply to a state update."""
    checkpoint = _checkpoint(config["configurable"])
    return {
        "checkpoint": checkpoint,
        "configurable": checkpoint,
        "checkpoint_id": checkpoint["checkpoint_id"],
    }


def _checkpoint(configurable: Any) -> Json:
    return {
        "thread_id": configurable["thread_id"],
        "checkpoint_ns": configurable.get("checkpoint_ns", ""),
        "checkpoint_id": configurable.get("checkpoint_id"),
        "checkpoint_map": configurable.get("checkpoint_map"),
    }


def _task(task: Any) -> Json:
    state = task.state
    return {
        "id": task.id,
        "name": task.name,
        "path": task.path,
        "error": None if task.error is None else repr(task.error),
        "interrupts": task.interrupts,
        "checkpoint": _checkpoint(state["configurable"]) if isinstance(state, dict) else None,
        "state": state_reply("", state) if isinstance(state, StateSnapshot) else None,
        "result": task.result,
    }

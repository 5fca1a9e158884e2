"""Routes of learn runs: start, watch, approve, resume, read the report.

The work is done by `graphs.server.learn_runs`, so a client that disconnects changes nothing.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from api.auth import Calling
from api.compose import Service, ServiceDep
from api.errors import refusals
from graphs.server.learn_runs import LearnStatus
from graphs.server.learn_spec import LearnInput
from graphs.state import Event
from memory.database.database import RunRecord
from memory.records.runs import Approval, Outcome

router = APIRouter(tags=["learn"])

POLL_SECONDS = 1.0
"""Between two looks at a run, each of which reads its checkpoint."""
PING_SECONDS = 15


class Links(BaseModel):
    """Where to follow a run."""

    report: str
    events: str
    approval: str


class Started(BaseModel):
    """A run that has begun."""

    run_id: str
    thread_id: str
    """Of the same name: its checkpoints are the run's."""
    links: Links


class RunReply(BaseModel):
    """A run: what was asked for, where it stands, and once it has ended its outcome and report."""

    run: RunRecord
    standing: LearnStatus
    outcome: Outcome | None
    report: dict[str, Any] | None
    links: Links


class Decision(BaseModel):
    """A person's word on a curriculum that waits for approval."""

    model_config = ConfigDict(extra="forbid")

    approved: bool
    by: str = Field(min_length=1, max_length=200)
    reason: str = Field("", max_length=2000)


class Cancelled(BaseModel):
    """Who does not want a run to go on, and why."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field(min_length=1, max_length=200)
    reason: str = Field("", max_length=2000)


@router.post("/v1/learn", status_code=202, responses=refusals(400, 404, 409, 413, 422, 503))
async def start(request: LearnInput, service: ServiceDep, calling: Calling) -> Started:
    """Begins a learn run and returns at once."""
    return begun(await service.runs.start(request, owner=calling.owner))


@router.get("/v1/learn", responses=refusals(422, 503))
async def runs(
    service: ServiceDep, calling: Calling, limit: Annotated[int, Query(ge=1, le=1000)] = 50
) -> list[RunRecord]:
    """The runs so far, newest first, without their reports."""
    found = await service.runtime.database.runs(owner=calling.owner, limit=limit)
    return [run.model_copy(update={"report": None}) for run in found]


@router.get("/v1/learn/{run_id}", responses=refusals(404, 503))
async def show(run_id: str, service: ServiceDep) -> RunReply:
    """Where a run stands, and its report once it has ended."""
    standing = await service.runs.status(run_id)  # first, so that a run that has ended shows its outcome
    run = await service.runtime.database.run(run_id)
    return RunReply(
        run=run.model_copy(update={"report": None}),
        standing=standing,
        outcome=run.outcome,
        report=run.report,
        links=links(run_id),
    )


@router.get("/v1/learn/{run_id}/events", responses=refusals(400, 404, 503))
async def events(
    run_id: str, service: ServiceDep, last_event_id: Annotated[str | None, Header()] = None
) -> EventSourceResponse:
    """Progress as server-sent events, until the run ends or waits for a person.

    Each event's id is its number, so a client that comes back with Last-Event-ID misses none. The last
    event is `end` or `waiting`.
    """
    if last_event_id is not None and not (last_event_id.isdecimal() and len(last_event_id) < 10):
        raise ValueError("Last-Event-ID must be the number of an event of this run")
    await service.runtime.database.run(run_id)
    after = int(last_event_id) if last_event_id else 0
    return EventSourceResponse(_follow(run_id, service, after), ping=PING_SECONDS)


@router.post("/v1/learn/{run_id}/approval", status_code=202, responses=refusals(400, 404, 409, 422, 503))
async def decide(run_id: str, decision: Decision, service: ServiceDep) -> Started:
    """Lets a waiting curriculum through to the trainer, or stops it."""
    await service.runs.approve(
        run_id, Approval(approved=decision.approved, by=decision.by, reason=decision.reason)
    )
    return begun(run_id)


@router.post("/v1/learn/{run_id}/cancel", status_code=202, responses=refusals(400, 404, 422, 503))
async def cancel(run_id: str, asked: Cancelled, service: ServiceDep) -> Started:
    """Ends a run where it is; it can be resumed, unless it waited for a person, who then has declined."""
    await service.runs.cancel(run_id, by=asked.by, reason=asked.reason)
    return begun(run_id)


@router.post("/v1/learn/{run_id}/resume", status_code=202, responses=refusals(400, 404, 409, 503))
async def resume(run_id: str, service: ServiceDep) -> Started:
    """Takes up a run again that was stopped or failed, at the step where it was."""
    await service.runs.resume(run_id)
    return begun(run_id)


def begun(run_id: str) -> Started:
    """What is said of a run at once."""
    return Started(run_id=run_id, thread_id=run_id, links=links(run_id))


def links(run_id: str) -> Links:
    """Where to follow the run."""
    base = f"/v1/learn/{run_id}"
    return Links(report=base, events=f"{base}/events", approval=f"{base}/approval")


async def _follow(run_id: str, service: Service, after: int) -> AsyncIterator[ServerSentEvent]:
    sent = after
    while True:
        # The standing is read first: what happened before it is then surely among the events.
        standing = await service.runs.status(run_id)
        lines = await service.runs.events(run_id)
        for number, line in enumerate(lines[sent:], sent + 1):
            yield _event("progress", line, str(number))
        sent = max(sent, len(lines))
        if standing.status != "running":
            name = "end" if standing.status == "ended" else "waiting"
            yield ServerSentEvent(event=name, data=json.dumps(await _ending(run_id, service, standing)))
            return
        await asyncio.sleep(POLL_SECONDS)


async def _ending(run_id: str, service: Service, standing: LearnStatus) -> dict[str, Any]:
    run = await service.runtime.database.run(run_id)
    outcome = run.outcome.model_dump(mode="json") if run.outcome else None
    return {"run_id": run_id, "outcome": outcome, "asks": standing.asks}


def _event(name: str, line: Event, number: str) -> ServerSentEvent:
    return ServerSentEvent(event=name, id=number, data=line.model_dump_json())

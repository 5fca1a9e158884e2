"""Routes of learn runs: start, follow, approve, cancel and resume runs, read their reports.

Runs are executed by `graphs.server.learn_runs` and continue if the client disconnects.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from api.auth import AccessDep, CallerDep, may_see_run
from api.compose import Service, ServiceDep
from api.errors import openai_errors
from graphs.server.learn_runs import LearnStatus
from graphs.server.learn_spec import Decision, LearnInput
from memory.database.database import RunRecord
from memory.records.runs import Approval, LessonsDone, Outcome

router = APIRouter(tags=["learn"])

POLL_SECONDS = 1.0
"""Interval at which a followed run is polled; all who follow it share a poll."""
PING_SECONDS = 15


class Links(BaseModel):
    """Paths of a run."""

    report: str
    events: str
    approval: str


class RunAccepted(BaseModel):
    """The run that a request was accepted for."""

    run_id: str
    thread_id: str
    """The same id: the run's checkpoints are on this thread."""
    links: Links


class RunReply(BaseModel):
    """A run: its subject, its status, and after its end its outcome and report."""

    run: RunRecord
    status: Literal["running", "waiting", "ended"]
    """`waiting` means for a person's approval."""
    next: tuple[str, ...]
    """Steps that come next; an ended run that has some can be resumed."""
    asks: dict[str, Any] | None
    """The curriculum to decide on, while the run waits."""
    lessons: LessonsDone | None
    """How many lessons are promoted; null before they are written."""
    outcome: Outcome | None
    report: dict[str, Any] | None
    links: Links


class CancelRequest(BaseModel):
    """Why a run is cancelled."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=2000)


@router.post("/v1/learn", status_code=202, responses=openai_errors(400, 404, 409, 413, 422, 503))
async def start(request: LearnInput, service: ServiceDep, caller: CallerDep) -> RunAccepted:
    """Starts a learn run and returns at once."""
    await service.rate_limits.spend("learn_runs", caller.owner)
    return run_accepted(await service.learn_runs.start(request, asked_by=caller.name, owner=caller.owner))


@router.get("/v1/learn", responses=openai_errors(422, 503))
async def runs(
    service: ServiceDep,
    caller: CallerDep,
    access: AccessDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> list[RunRecord]:
    """All learn runs, newest first, without their reports; without the scope `approve` only the caller's."""
    owner = None if caller.allows("approve") else caller.owner
    records = await service.runtime.database.runs(owner=owner, limit=limit)
    visible = [
        run
        for run in records
        if may_see_run(run, access) or (run.domain is None and run.asked_by == caller.name)
    ]
    return [run.model_copy(update={"report": None}) for run in visible]


@router.get("/v1/learn/{run_id}", responses=openai_errors(404, 503))
async def show(run_id: str, service: ServiceDep) -> RunReply:
    """A run's status, and its report after its end."""
    # Read before the record, so that an ended run has its outcome.
    status = await service.learn_runs.status(run_id)
    run = await service.runtime.database.run(run_id)
    return RunReply(
        run=run.model_copy(update={"report": None}),
        status=status.status,
        next=status.next,
        asks=status.asks,
        lessons=status.lessons,
        outcome=run.outcome,
        report=run.report,
        links=links(run_id),
    )


@router.get("/v1/learn/{run_id}/events", responses=openai_errors(400, 404, 503))
async def events(
    run_id: str, service: ServiceDep, last_event_id: Annotated[str | None, Header()] = None
) -> EventSourceResponse:
    """Progress as server-sent events, until the run ends or waits for a person.

    The id of an event is its number, so a client that reconnects with Last-Event-ID misses none. The last
    event is `end` or `waiting`.
    """
    if last_event_id is not None and not (last_event_id.isdecimal() and len(last_event_id) < 10):
        raise ValueError("Last-Event-ID must be the id of an event of this run")
    await service.runtime.database.run(run_id)
    after = int(last_event_id) if last_event_id else 0
    return EventSourceResponse(_follow(run_id, service, after), ping=PING_SECONDS)


@router.post("/v1/learn/{run_id}/approval", status_code=202, responses=openai_errors(400, 404, 409, 422, 503))
async def decide(run_id: str, decision: Decision, service: ServiceDep, caller: CallerDep) -> RunAccepted:
    """Approves a waiting curriculum for training, or declines it.

    This needs the scope `approve`, and whoever asked for the run cannot approve it.
    """
    caller.require("approve")
    await service.learn_runs.approve(run_id, Approval(by=caller.name, **dict(decision)))
    return run_accepted(run_id)


@router.post("/v1/learn/{run_id}/cancel", status_code=202, responses=openai_errors(400, 404, 422, 503))
async def cancel(run_id: str, request: CancelRequest, service: ServiceDep, caller: CallerDep) -> RunAccepted:
    """Cancels a run, which can be resumed; a run that waits for approval is declined."""
    await service.learn_runs.cancel(run_id, by=caller.name, reason=request.reason)
    return run_accepted(run_id)


@router.post("/v1/learn/{run_id}/resume", status_code=202, responses=openai_errors(400, 404, 409, 503))
async def resume(run_id: str, service: ServiceDep, caller: CallerDep) -> RunAccepted:
    """Continues a run that was stopped or failed, at the step where it ended."""
    await service.learn_runs.resume(run_id, asked_by=caller.name)
    return run_accepted(run_id)


def run_accepted(run_id: str) -> RunAccepted:
    """The reply to a request that starts or changes a run."""
    return RunAccepted(run_id=run_id, thread_id=run_id, links=links(run_id))


def links(run_id: str) -> Links:
    """The run's paths."""
    base = f"/v1/learn/{run_id}"
    return Links(report=base, events=f"{base}/events", approval=f"{base}/approval")


async def _follow(run_id: str, service: Service, after: int) -> AsyncIterator[ServerSentEvent]:
    sent = after
    while True:
        status, progress = await service.learn_runs.follow(run_id)
        for number, event in enumerate(progress[sent:], sent + 1):
            yield ServerSentEvent(event="progress", id=str(number), data=event.model_dump_json())
        sent = max(sent, len(progress))
        if status.status != "running":
            name = "end" if status.status == "ended" else "waiting"
            yield ServerSentEvent(event=name, data=json.dumps(await _last_event(run_id, service, status)))
            return
        await asyncio.sleep(POLL_SECONDS)


async def _last_event(run_id: str, service: Service, status: LearnStatus) -> dict[str, Any]:
    run = await service.runtime.database.run(run_id)
    outcome = run.outcome.model_dump(mode="json") if run.outcome else None
    return {"run_id": run_id, "outcome": outcome, "asks": status.asks}

"""Routes of crons in LangGraph's format: runs that are started by a schedule.

DBOS keeps the schedules, and `cron_runs` starts the runs.
"""

import uuid
from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter  # type: ignore[import-untyped]
from fastapi import Response
from pydantic import Field, field_validator

from api.auth import CallerDep
from api.callers import Caller
from api.compose import Service, ServiceDep
from api.langgraph.common import Body, Id, Limit, Offset, Select, ThreadId, langgraph_router, select_fields
from api.langgraph.run_requests import ConfigBody, Nodes, RunBody
from api.timezones import known_timezone
from graphs.server.graph_spec import validated
from memory.records.moments import Moment
from memory.server.crons import Cron, CronSpec
from memory.server.threads import Json

router = langgraph_router("crons")

CRON_FIELDS = frozenset({"schedule", "timezone", "end_time", "enabled", "on_run_completed", "metadata"})
"""Fields of the cron itself; the others are those of its runs."""
Expression = Annotated[str, Field(max_length=100)]
Zone = Annotated[str, Field(max_length=64)]


class CronSchedule(Body):
    """When a cron fires, and what happens to its threads afterwards."""

    timezone: Zone | None = None
    end_time: Moment | None = None
    enabled: bool = True
    on_run_completed: Literal["delete", "keep"] = "delete"
    metadata: Json = {}

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str | None) -> str | None:
        return None if name is None else known_timezone(name)


class CronBody(CronSchedule, RunBody):
    """A new cron. `metadata` is stored with the cron and with its runs."""

    schedule: Expression
    checkpoint: None = None
    checkpoint_id: None = None
    on_completion: None = None
    command: None = None
    if_not_exists: Literal["reject"] = "reject"

    @field_validator("schedule")
    @classmethod
    def _valid_expression(cls, text: str) -> str:
        return check_schedule(text)


class CronPatch(Body):
    """The changes to a cron."""

    schedule: Expression | None = None
    timezone: Zone | None = None
    end_time: Moment | None = None
    enabled: bool | None = None
    on_run_completed: Literal["delete", "keep"] | None = None
    metadata: Json | None = None
    input: Json | None = None
    config: ConfigBody | None = None
    interrupt_before: Nodes | None = None
    interrupt_after: Nodes | None = None
    stream_mode: str | list[str] | None = None
    stream_subgraphs: bool | None = None
    stream_resumable: bool | None = None
    durability: Literal["sync", "async", "exit"] | None = None
    webhook: str | None = None


class CronSearch(Body):
    """Filters of a search for crons."""

    assistant_id: str | None = None
    thread_id: Id | None = None
    enabled: bool | None = None
    metadata: Json = {}
    limit: Limit = 10
    offset: Offset = 0
    sort_by: Literal["created_at"] = "created_at"
    sort_order: Literal["desc"] = "desc"
    select: Select | None = None


class CronCount(Body):
    """Filters of crons to count."""

    assistant_id: str | None = None
    thread_id: Id | None = None
    metadata: Json = {}


@router.post("/runs/crons")
async def create(body: CronBody, service: ServiceDep, caller: CallerDep) -> Json:
    """Creates a cron whose runs each have a thread of their own.

    It fires at most once a minute, with the rights of the key that made it, and not while its last run is
    unfinished. An owner has at most 20.
    """
    return await _create(body, service, caller, None)


@router.post("/threads/{thread_id}/runs/crons")
async def create_on_thread(
    thread_id: ThreadId, body: CronBody, service: ServiceDep, caller: CallerDep
) -> Json:
    """Creates a cron whose runs are on this thread."""
    await service.executor.threads.get(thread_id)
    return await _create(body, service, caller, thread_id)


@router.post("/runs/crons/search")
async def search(body: CronSearch, service: ServiceDep, caller: CallerDep) -> list[Json]:
    """Searches crons, newest first."""
    crons = await service.crons.search(owner=caller.owner, metadata=body.metadata, **_filters(body))
    return [
        select_fields(_reply(cron), body.select) for cron in crons[body.offset : body.offset + body.limit]
    ]


@router.post("/runs/crons/count")
async def count(body: CronCount, service: ServiceDep, caller: CallerDep) -> int:
    """Counts crons."""
    return len(await service.crons.search(owner=caller.owner, metadata=body.metadata, **_filters(body)))


@router.patch("/runs/crons/{cron_id}")
async def amend(cron_id: str, body: CronPatch, service: ServiceDep, caller: CallerDep) -> Json:
    """Changes a cron; its running runs continue. Another owner's keeps the key with which it fires."""
    before = await service.crons.get(cron_id, caller.owner)
    sent = body.model_dump(mode="json", exclude_unset=True)
    changes = {key: value for key, value in sent.items() if key in CRON_FIELDS}
    payload = before.payload | {key: value for key, value in sent.items() if key not in CRON_FIELDS}
    unchanged = {"assistant_id": before.assistant_id, "schedule": before.schedule}
    changed_body = validated(CronBody, payload | unchanged | changes, "cron")
    await service.run_service.check(caller, changed_body, before.thread_id or str(uuid.uuid4()))
    own: Json = {"payload": payload}
    if caller.owner == before.owner:
        own |= {"key_id": caller.key_id}
    if changed_body.enabled:
        own |= {"disabled_reason": None}
    cron = await service.crons.update(cron_id, changes | own)
    await _schedule(service, cron)
    return _reply(cron)


@router.delete("/runs/crons/{cron_id}", status_code=204)
async def delete(cron_id: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Deletes a cron; its running runs continue."""
    await service.crons.get(cron_id, caller.owner)
    await service.executor.jobs.unschedule(cron_id)
    await service.crons.delete(cron_id)
    return Response(status_code=204)


def check_schedule(schedule: str) -> str:
    """The cron expression. Raises ValueError if it is invalid or never fires."""
    if not croniter.is_valid(schedule, second_at_beginning=True):
        raise ValueError(
            f"{schedule!r} is not a cron expression: send five fields, or six with seconds first"
        )
    try:
        croniter(schedule, second_at_beginning=True).get_next()
    except CroniterBadDateError:
        raise ValueError(f"{schedule!r} matches no date that exists: change its day or month") from None
    if len(fields := schedule.split()) > 5 and not fields[0].isdecimal():
        raise ValueError(
            f"{schedule!r} fires more often than once a minute: send five fields, or one number of seconds"
            " in the first of six, such as `30 */5 * * * *`"
        )
    return schedule


async def _schedule(service: Service, cron: Cron) -> None:
    if cron.enabled:
        await service.executor.jobs.schedule(cron.cron_id, cron.schedule, cron.timezone)
    else:
        await service.executor.jobs.unschedule(cron.cron_id)


async def _create(body: CronBody, service: Service, caller: Caller, thread_id: str | None) -> Json:
    assistant, _ = await service.run_service.check(caller, body, thread_id or str(uuid.uuid4()))
    sent = body.model_dump(mode="json", exclude_unset=True, exclude={*CRON_FIELDS, "assistant_id"})
    spec = CronSpec(
        **body.model_dump(include=set(CRON_FIELDS)),
        assistant_id=assistant.assistant_id,
        thread_id=thread_id,
        payload=sent,
        key_id=caller.key_id,
    )
    cron = await service.crons.create(spec, caller.owner)
    try:
        await _schedule(service, cron)
    except ValueError:
        await service.crons.delete(cron.cron_id)
        raise
    return _reply(cron)


def _filters(body: CronSearch | CronCount) -> Json:
    return body.model_dump(include={"assistant_id", "thread_id", "enabled"}, exclude_none=True)


def _reply(cron: Cron) -> Json:
    reply = cron.model_dump(mode="json", exclude={"owner", "key_id"})
    zone = ZoneInfo(cron.timezone or "UTC")
    due = croniter(cron.schedule, datetime.now(zone), second_at_beginning=True).get_next(datetime)
    return reply | {"user_id": cron.owner, "next_run_date": due.isoformat() if cron.enabled else None}

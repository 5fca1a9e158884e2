"""Routes of night schedules: the time of day at which a domain's nights start."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from croniter import croniter  # type: ignore[import-untyped]
from fastapi import APIRouter, Depends, Query, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from agent.nights.revision.strategies import strategies_named
from api.auth import AccessDep, CallerDep
from api.callers import Caller
from api.compose import Service, ServiceDep
from api.errors import Forbidden, openai_errors
from api.limits import reject_nul
from api.timezones import known_timezone
from graphs.server.night_spec import check_options
from memory.records.base import Domain
from memory.records.nights import NightOptions
from memory.server.crons import Cron, CronSpec

router = APIRouter(prefix="/v1/nights/schedule", tags=["nights"], dependencies=[Depends(reject_nul)])
GRAPH = "night"
MARK = {"schedule_of": "nights"}
"""Metadata of the crons that are such schedules."""
_DAILY = re.compile(r"(\d{1,2}) (\d{1,2}) \* \* \*")
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Timezone = Annotated[str, StringConstraints(max_length=64), AfterValidator(known_timezone)]


class ScheduleRequest(BaseModel):
    """When the nights of a domain start, and what they do."""

    model_config = ConfigDict(extra="forbid")

    domain: Domain
    at: TimeOfDay = "02:00"
    timezone: Timezone = "UTC"
    """An IANA name."""
    options: NightOptions = NightOptions()


class Schedule(ScheduleRequest):
    """A schedule with its next start."""

    cron_id: str
    """Its id among LangGraph's crons."""
    next_start: datetime | None
    """None while it is paused."""
    enabled: bool
    """False while it is paused: by `PATCH /runs/crons/{cron_id}`, or by the service."""
    disabled_reason: str | None
    """Why the service paused it, such as that its key was revoked."""


@router.put("", responses=openai_errors(400, 403, 422, 503))
async def schedule(
    request: ScheduleRequest, service: ServiceDep, caller: CallerDep, access: AccessDep
) -> Schedule:
    """Starts a night of the domain every day at this time, in place of the domain's earlier schedule.

    The nights have the rights of the key that schedules them, and end with it. Another owner's schedule
    stays, except for admins. A schedule that was paused goes on.
    """
    access.require_write(request.domain)
    check_options(request.options, access)
    strategies_named(request.options.strategies, service.runtime.card)  # raises ValueError for unknown ones
    hour, minute = (int(part) for part in request.at.split(":"))
    options = request.options.model_dump(mode="json", exclude_defaults=True)
    spec = CronSpec(
        assistant_id=(await service.assistants.recent(GRAPH)).assistant_id,
        schedule=f"{minute} {hour} * * *",
        timezone=request.timezone,
        on_run_completed="keep",  # the thread of a night can be inspected and resumed
        metadata=MARK,
        payload={"input": {"domain": request.domain, "options": options}},
        key_id=caller.key_id,
    )
    earlier = await _crons_of(request.domain, service, caller)
    own = next((cron for cron in earlier if cron.owner == caller.owner), None)
    if own is not None:
        cron = await service.crons.update(own.cron_id, spec.model_dump(mode="json"))
    else:
        cron = await service.crons.create(spec, caller.owner)
    await service.executor.jobs.schedule(cron.cron_id, cron.schedule, cron.timezone)
    for other in earlier:  # replaced by an admin; or two requests at once made two
        if other.cron_id != cron.cron_id:
            await _delete(other, service)
    return _reply(cron, service)


@router.get("", responses=openai_errors(503))
async def listing(service: ServiceDep, access: AccessDep) -> list[Schedule]:
    """All schedules, by domain."""
    schedules = [_reply(cron, service) for cron in await _crons(service)]
    visible = [each for each in schedules if access.may_use(each.domain)]
    return sorted(visible, key=lambda each: each.domain)


@router.delete("", status_code=204, responses=openai_errors(403, 404, 422, 503))
async def delete(
    domain: Annotated[Domain, Query()], service: ServiceDep, caller: CallerDep, access: AccessDep
) -> Response:
    """Ends the domain's schedule; a night that runs goes on. Without one, nothing changes.

    Another owner's schedule stays, except for admins.
    """
    access.require_write(domain)
    for cron in await _crons_of(domain, service, caller):
        await _delete(cron, service)
    return Response(status_code=204)


async def _crons_of(domain: str, service: Service, caller: Caller) -> list[Cron]:
    """The schedules of a domain. Raises Forbidden if the caller may not change one of them."""
    found = [cron for cron in await _crons(service) if _domain(cron) == domain]
    if caller.owner is not None and any(cron.owner != caller.owner for cron in found):
        raise Forbidden(f"the nights of {domain} were scheduled by another owner: ask them, or an admin")
    return found


async def _crons(service: Service) -> list[Cron]:
    """The crons that are schedules of nights; clients may have changed them in the meantime."""
    assistant = await service.assistants.recent(GRAPH)
    found = await service.crons.search(owner=None, metadata=MARK, assistant_id=assistant.assistant_id)
    return [cron for cron in found if _DAILY.fullmatch(cron.schedule) and _domain(cron) is not None]


async def _delete(cron: Cron, service: Service) -> None:
    await service.executor.jobs.unschedule(cron.cron_id)
    await service.crons.delete(cron.cron_id)


def _domain(cron: Cron) -> str | None:
    domain = _input(cron).get("domain")
    return domain if isinstance(domain, str) else None


def _input(cron: Cron) -> Mapping[str, Any]:
    values = cron.payload.get("input")
    return values if isinstance(values, dict) else {}


def _reply(cron: Cron, service: Service) -> Schedule:
    found = _DAILY.fullmatch(cron.schedule)
    assert found is not None, "other crons are not listed"
    zone = ZoneInfo(cron.timezone or "UTC")
    now = service.runtime.clock().astimezone(zone)
    return Schedule(
        domain=str(_domain(cron)),
        at=f"{int(found[2]):02d}:{int(found[1]):02d}",
        timezone=cron.timezone or "UTC",
        options=NightOptions.model_validate(_input(cron).get("options") or {}),
        cron_id=cron.cron_id,
        next_start=croniter(cron.schedule, now).get_next(datetime) if cron.enabled else None,
        enabled=cron.enabled,
        disabled_reason=cron.disabled_reason,
    )

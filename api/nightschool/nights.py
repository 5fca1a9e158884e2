"""Routes of nights: start one, list them, show one with its steps, stop it, read its morning report."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict

from agent.nights.report.gather import gather_report, stored_report
from agent.nights.report.markdown import markdown
from agent.nights.report.plots import FIGURES, Figure, plot
from agent.nights.report.records import MorningReport
from api.auth import AccessDep, CallerDep
from api.compose import Service, ServiceDep
from api.errors import Forbidden, openai_errors
from api.limits import reject_nul
from api.nightschool.interactions import check_period
from graphs.server.run_spec import RunRequest, RunSpec
from memory.errors import UnknownNight, UnknownThread
from memory.nights.attacks import Attacks
from memory.records.access import Access
from memory.records.base import Domain
from memory.records.moments import Moment
from memory.records.nights import Night, NightOptions

router = APIRouter(prefix="/v1/nights", tags=["nights"], dependencies=[Depends(reject_nul)])
GRAPH = "night"


class StartRequest(BaseModel):
    """The domain and the period to go over, and what to do."""

    model_config = ConfigDict(extra="forbid")

    domain: Domain | None = None
    """By default the domain of questions that match no adapter."""
    since: Moment | None = None
    """By default the end of the domain's last night, or a day ago."""
    until: Moment | None = None
    """By default now."""
    options: NightOptions = NightOptions()


@router.post("", status_code=202, responses=openai_errors(400, 403, 409, 422, 503))
async def start(request: StartRequest, service: ServiceDep, caller: CallerDep, access: AccessDep) -> Night:
    """Starts a night and returns at once; it waits until the service is quiet.

    At most one of a domain waits or runs, and at most one of all domains runs.
    """
    check_period(request.since, request.until)
    night_id = service.runtime.new_id()
    spec = service.executor.graph_specs[GRAPH]
    values = request.model_dump(mode="json", exclude_none=True)
    accepted = await spec.validate_input(night_id, values, {}, access)
    await spec.initial_state(
        night_id, accepted, asked_by=caller.name, streamed=False
    )  # stores the night, or refuses it
    await service.executor.start(
        RunSpec(
            thread_id=night_id,
            graph_id=GRAPH,
            assistant_id=GRAPH,
            request=RunRequest(input=accepted),
            create_thread=True,
            owner=caller.owner,
            asked_by=caller.name,
        )
    )
    return await service.runtime.nights.night(night_id)


@router.get("", responses=openai_errors(422, 503))
async def listing(
    service: ServiceDep,
    access: AccessDep,
    domain: Domain | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> list[Night]:
    """Nights, newest first, without the figures of their reports."""
    nights = await service.runtime.nights.nights(domain=domain, access=access, limit=limit)
    return [night.model_copy(update={"summary": {}}) for night in nights]


@router.get("/{night_id}", responses=openai_errors(404, 503))
async def show(night_id: str, service: ServiceDep, access: AccessDep) -> Night:
    """A night with its steps so far."""
    return await _visible_night(night_id, service, access)


@router.post("/{night_id}/stop", responses=openai_errors(400, 403, 404, 503))
async def stop(night_id: str, service: ServiceDep, caller: CallerDep, access: AccessDep) -> Night:
    """Stops a night that waits or runs; what it has done so far stays.

    Only the owner of the key that started it, or an admin, may.
    """
    night = await _visible_night(night_id, service, access)
    access.require_write(night.domain)
    if caller.owner not in (None, await _owner(night_id, service)):
        raise Forbidden(f"night {night_id} was started by another key: its owner or an admin can stop it")
    if night.status not in ("waiting", "running"):
        raise ValueError(f"night {night_id} cannot be stopped: it has ended ({night.status})")
    await service.executor.cancel_all(night_id)
    night = await service.runtime.nights.night(night_id)
    if night.status in ("waiting", "running"):  # it had no run: the service stopped before it was queued
        reason = f"stopped by {caller.name}"
        await service.executor.graph_specs[GRAPH].record_failure(night_id, "stopped", reason)
        night = await service.runtime.nights.night(night_id)
    return night


@router.get(
    "/{night_id}/report",
    response_model=MorningReport,
    responses=openai_errors(404, 422, 503) | {200: {"content": {"text/markdown": {}}}},
)
async def report(
    night_id: str, service: ServiceDep, access: AccessDep, format: Literal["json", "markdown"] = "json"
) -> MorningReport | Response:
    """The morning report; of a night that is not over, what is known so far."""
    made = await _report(night_id, service, access)
    if format == "json":
        return made
    return PlainTextResponse(markdown(made), media_type="text/markdown")


@router.get(
    "/{night_id}/plot.png",
    response_class=Response,
    responses=openai_errors(404, 422, 503) | {200: {"content": {"image/png": {}}}},
)
async def plotted(
    night_id: str, service: ServiceDep, access: AccessDep, figure: Figure | None = None
) -> Response:
    """Plots of the nights up to this one: quality, coverage, perplexity and safety, or one figure."""
    made = await _report(night_id, service, access)
    nights = [*made.history, made.figures]
    figures = FIGURES if figure is None else (figure,)
    async with service.analyses.turn():
        image = await service.analyses.run(lambda: plot(nights, figures))
    return Response(image, media_type="image/png")


async def _owner(night_id: str, service: Service) -> str | None:
    """The owner of the night's thread; None for an admin, or if the night was never queued."""
    try:
        return (await service.executor.threads.get(night_id, expired=True)).owner
    except UnknownThread:
        return None


async def _visible_night(night_id: str, service: Service, access: Access) -> Night:
    """The night. Raises UnknownNight, also for one of a domain that the caller may not use."""
    night = await service.runtime.nights.night(night_id)
    if not access.may_use(night.domain):
        raise UnknownNight(f"no night {night_id}: `nightschool night list` shows them")
    return night


async def _report(night_id: str, service: Service, access: Access) -> MorningReport:
    runtime = service.runtime
    night = await _visible_night(night_id, service, access)
    return stored_report(night) or await gather_report(
        night,
        store=runtime.nights,
        log=runtime.interactions,
        feedback=runtime.feedback,
        registry=runtime.registry,
        access=access.shared(night.domain),
        attacks=await Attacks(runtime.database).list(night_id=night_id),
    )

"""Routes of adapters: list, show, promote and roll back versions, and forget a lesson."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from agent.learning.forgetting import find_lesson
from agent.promotion import promote, rollback
from api.auth import CallerDep
from api.compose import ServiceDep
from api.errors import openai_errors
from api.nightschool.learn import RunAccepted, run_accepted
from api.nightschool.pages import MOST, Limit, page_of
from memory.errors import UnknownAdapter
from memory.records.adapters import Adapter
from memory.records.base import Domain

router = APIRouter(prefix="/v1/adapters", tags=["adapters"])


class RollbackRequest(BaseModel):
    """The domain to roll back."""

    model_config = ConfigDict(extra="forbid")

    domain: Domain


class ForgetRequest(BaseModel):
    """The lesson that a domain should forget, by its digest or an unambiguous beginning of it."""

    model_config = ConfigDict(extra="forbid")

    domain: Domain
    curriculum: str = Field(pattern=r"^[0-9a-f]{8,64}$")
    reason: str = Field("", max_length=2000)


class LiveAdapter(BaseModel):
    """The adapter that serves a domain now; null for the base model."""

    domain: Domain
    adapter: Adapter | None


@router.get("", responses=openai_errors(404, 422, 503))
async def listing(
    service: ServiceDep,
    domain: Domain | None = None,
    after: Annotated[
        str | None, Query(max_length=100, description="Name of the last adapter of the page before.")
    ] = None,
    limit: Limit = MOST,
) -> list[Adapter]:
    """Adapter versions, including rejected ones, by domain and version; a page at a time."""
    adapters = await asyncio.to_thread(service.runtime.registry.list, domain)
    names = [each.name for each in adapters]
    unknown = UnknownAdapter(f"no adapter {after} is in this list: begin without `after`")
    return page_of(adapters, names, after=after, limit=limit, unknown=unknown)


@router.get("/{name}", responses=openai_errors(404, 503))
async def show(name: str, service: ServiceDep) -> Adapter:
    """One adapter with its evaluation, its gates and its origin."""
    return await asyncio.to_thread(service.runtime.registry.get, name)


@router.post("/{name}/promote", responses=openai_errors(404, 409, 503))
async def promote_adapter(name: str, service: ServiceDep, caller: CallerDep) -> LiveAdapter:
    """Loads the adapter, checks its canary question and makes it the live adapter of its domain."""
    runtime = service.runtime
    async with runtime.audit.acting("adapter.promote", by=caller.name, subject=name):
        adapter = await promote(name, engine=runtime.engine, registry=runtime.registry)
    await runtime.routes.refresh()
    return LiveAdapter(domain=adapter.domain, adapter=adapter)


@router.post("/rollback", responses=openai_errors(409, 422, 503))
async def roll_back(request: RollbackRequest, service: ServiceDep, caller: CallerDep) -> LiveAdapter:
    """Makes the domain's previous adapter live again after checking its canary question, or the base model.

    Adapters that learned a quarantined lesson are skipped.
    """
    runtime = service.runtime
    async with runtime.audit.acting("adapter.rollback", by=caller.name, subject=request.domain):
        adapter = await rollback(request.domain, engine=runtime.engine, registry=runtime.registry)
    await runtime.routes.refresh()
    return LiveAdapter(domain=request.domain, adapter=adapter)


@router.post("/forget", status_code=202, responses=openai_errors(400, 404, 409, 422, 503))
async def forget(request: ForgetRequest, service: ServiceDep, caller: CallerDep) -> RunAccepted:
    """Starts a run that quarantines a lesson and retrains the domain's other lessons; returns at once."""
    registry = service.runtime.registry
    digest = await asyncio.to_thread(find_lesson, request.domain, request.curriculum, registry)
    details = {"domain": request.domain}
    audit = service.runtime.audit
    async with audit.acting("lesson.forget", by=caller.name, subject=digest, details=details):
        run_id = await service.learn_runs.forget(
            request.domain, digest, because=request.reason, asked_by=caller.name
        )
    return run_accepted(run_id)

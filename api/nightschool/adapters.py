"""Routes of adapters: list, show, promote, roll back, forget a lesson, all while serving."""

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from agent.learning.forgetting import find_lesson
from agent.promotion import promote, rollback
from api.compose import ServiceDep
from api.errors import refusals
from api.nightschool.learn import Started, begun
from memory.records.adapters import Adapter
from memory.records.base import Domain

router = APIRouter(prefix="/v1/adapters", tags=["adapters"])


class RollbackRequest(BaseModel):
    """Which domain goes back to what it served before."""

    model_config = ConfigDict(extra="forbid")

    domain: Domain


class ForgetRequest(BaseModel):
    """Which lesson a domain is to forget: its digest, or as much of it as tells it from the others."""

    model_config = ConfigDict(extra="forbid")

    domain: Domain
    curriculum: str = Field(pattern=r"^[0-9a-f]{8,64}$")
    reason: str = Field("", max_length=2000)


class Serving(BaseModel):
    """What a domain serves now; no adapter means the base model."""

    domain: Domain
    adapter: Adapter | None


@router.get("", responses=refusals(422, 503))
async def listing(service: ServiceDep, domain: Domain | None = None) -> list[Adapter]:
    """All adapter versions, rejected ones too, by domain and version."""
    return list(await asyncio.to_thread(service.runtime.registry.list, domain))


@router.get("/{name}", responses=refusals(404, 503))
async def show(name: str, service: ServiceDep) -> Adapter:
    """One adapter with its evaluation, its gates and where it comes from."""
    return await asyncio.to_thread(service.runtime.registry.get, name)


@router.post("/{name}/promote", responses=refusals(404, 409, 503))
async def make_live(name: str, service: ServiceDep) -> Serving:
    """Loads the adapter, asks its canary question and makes it its domain's live one."""
    adapter = await promote(name, engine=service.runtime.engine, registry=service.runtime.registry)
    await service.runtime.routes.refresh()
    return Serving(domain=adapter.domain, adapter=adapter)


@router.post("/rollback", responses=refusals(409, 422, 503))
async def go_back(request: RollbackRequest, service: ServiceDep) -> Serving:
    """Makes the domain's previous adapter live again once its canary sings, or the base model.

    One that learned what is in quarantine is passed over.
    """
    adapter = await rollback(request.domain, engine=service.runtime.engine, registry=service.runtime.registry)
    await service.runtime.routes.refresh()
    return Serving(domain=request.domain, adapter=adapter)


@router.post("/forget", status_code=202, responses=refusals(400, 404, 409, 422, 503))
async def forget(request: ForgetRequest, service: ServiceDep) -> Started:
    """Begins a run that quarantines a lesson and teaches the domain's others anew, and returns at once."""
    registry = service.runtime.registry
    digest = await asyncio.to_thread(find_lesson, request.domain, request.curriculum, registry)
    run_id = await service.runs.forget(request.domain, digest, because=request.reason)
    return begun(run_id)

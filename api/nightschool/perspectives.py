"""Routes of perspectives: from which viewpoint documents speak, and what an operator lets each count for."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from agent.chat.routing import DEFAULT_DOMAIN
from agent.learning.camps import Camps, camps
from api.auth import AccessDep, CallerDep
from api.compose import ServiceDep
from api.errors import openai_errors
from api.limits import reject_nul
from memory.errors import UnknownDocument
from memory.ingest.writer import Place
from memory.records.base import Domain
from memory.records.perspectives import Perspective, PerspectiveName, Weight

router = APIRouter(prefix="/v1/perspectives", tags=["memory"], dependencies=[Depends(reject_nul)])
MAX_SOURCES = 1000


class DeclareRequest(BaseModel):
    """Documents of the caller, and the perspective that they speak from."""

    model_config = ConfigDict(extra="forbid")

    sources: list[Annotated[str, Field(min_length=1, max_length=2000)]] = Field(
        min_length=1, max_length=MAX_SOURCES
    )
    """As `GET /v1/documents` lists them."""
    name: PerspectiveName | None
    """Null for none."""
    domain: Domain = DEFAULT_DOMAIN


class WeighRequest(BaseModel):
    """What a perspective counts for."""

    model_config = ConfigDict(extra="forbid")

    name: PerspectiveName
    weight: Weight
    domain: Domain = DEFAULT_DOMAIN


@router.get("", responses=openai_errors(422, 503))
async def listing(service: ServiceDep, access: AccessDep, domain: Domain | None = None) -> list[Perspective]:
    """The perspectives of the documents that the caller may read, by domain and name."""
    return list(await service.perspectives.all(access=access, domain=domain))


@router.post("", responses=openai_errors(403, 404, 409, 422, 503))
async def declare(request: DeclareRequest, service: ServiceDep, access: AccessDep) -> list[Perspective]:
    """Declares from which perspective the caller's documents speak.

    Where perspectives contradict each other, learn runs teach what each holds, and none as the truth.
    """
    access.require_write(request.domain)
    owners = {access.owner_of_new(request.domain), access.explorer}
    stored = await service.runtime.episodic.documents(
        access=access, domain=request.domain, sources=set(request.sources)
    )
    places = [Place(each.source, each.domain, each.owner) for each in stored if each.owner in owners]
    if missing := sorted(set(request.sources) - {place.source for place in places}):
        raise UnknownDocument(
            f"no document {missing[0]} of yours in the domain {request.domain}:"
            " `GET /v1/documents` lists them"
        )
    if request.name is None:
        await service.perspectives.withdraw(places)
    else:
        await service.perspectives.declare(places, request.name, access=access)
    return list(await service.perspectives.all(access=access, domain=request.domain))


@router.put("", responses=openai_errors(403, 404, 422, 503))
async def weigh(
    request: WeighRequest, service: ServiceDep, caller: CallerDep, access: AccessDep
) -> list[Perspective]:
    """Sets what a perspective counts for in lessons, relative to the others; this needs the scope `admin`.

    Weights are the operator's alone: how many documents speak from a perspective changes nothing. With 0 its
    documents are found and quoted, but not taught.
    """
    caller.require("admin")
    await service.perspectives.weigh(request.domain, request.name, request.weight, by=caller.name)
    return list(await service.perspectives.all(access=access, domain=request.domain))


@router.get("/suggested", responses=openai_errors(422, 503))
async def suggested(
    service: ServiceDep,
    access: AccessDep,
    domain: Domain | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 20,
) -> list[Camps]:
    """Documents that contradict each other, in two camps each: they may speak from different perspectives.

    Reads all facts, which takes seconds if there are many.
    """
    async with service.analyses.turn():
        facts = await service.runtime.semantic.all(access=access, domain=domain)
        found = await service.analyses.run(lambda: camps(facts))
    return list(found[:limit])

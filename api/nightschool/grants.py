"""Routes of grants: which owners may use closed domains. A domain is closed while it has a grant."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from api.auth import CallerDep
from api.compose import ServiceDep
from api.errors import openai_errors
from api.limits import reject_nul
from memory.records.base import Domain
from memory.server.grants import Grant

router = APIRouter(prefix="/v1/grants", tags=["access"], dependencies=[Depends(reject_nul)])


class GrantRequest(BaseModel):
    """Whom to grant a domain."""

    model_config = ConfigDict(extra="forbid")

    owner: str = Field(min_length=1, max_length=200)
    """Owner of API keys."""
    domain: Domain
    write: bool = False
    """Also add documents, teach and run nights."""


class Granted(BaseModel):
    """A grant, and what it changed."""

    grant: Grant
    closed: bool
    """Whether the domain was open to every key until now."""
    message: str


class Removed(BaseModel):
    """What the removal of a grant changed."""

    opened: bool
    """Whether the domain is open to every key now."""
    message: str


@router.get("", responses=openai_errors(503))
async def listing(service: ServiceDep) -> list[Grant]:
    """All grants, by domain and owner. A domain that is not listed is open."""
    return list(await service.runtime.grants.list())


@router.post("", status_code=201, responses=openai_errors(400, 422, 503))
async def add(request: GrantRequest, service: ServiceDep, caller: CallerDep) -> Granted:
    """Grants an owner a domain, or changes its grant. The first grant closes the domain to all others."""
    grants = service.runtime.grants
    grant, closed = await grants.add(request.owner, request.domain, write=request.write, by=caller.name)
    owners = ", ".join(each.owner for each in await grants.list() if each.domain == request.domain)
    state = "was open to every key; now only" if closed else "is open to"
    message = f"domain {request.domain} {state}: {owners} (and admins)"
    return Granted(grant=grant, closed=closed, message=message)


@router.delete("/{domain}/{owner}", responses=openai_errors(400, 404, 422, 503))
async def remove(
    domain: Domain,
    owner: Annotated[str, Path(max_length=200)],
    service: ServiceDep,
    caller: CallerDep,
    reopen: Annotated[
        bool, Query(description="Remove the domain's last grant, which opens it to every key.")
    ] = False,
) -> Removed:
    """Removes a grant; the last one of a domain only with `reopen`."""
    opened = await service.runtime.grants.remove(owner, domain, reopen=reopen, by=caller.name)
    what = "it is open to every key now" if opened else "it stays closed"
    return Removed(opened=opened, message=f"{owner} has no grant on {domain} any more; {what}")

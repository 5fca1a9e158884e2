"""Routes of gaps, the questions that the service could not answer: list, dismiss, merge, delete."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.auth import AccessDep
from api.compose import Service, ServiceDep
from api.errors import Forbidden, openai_errors
from memory.feedback.gap_demand import GapDemand, gap_demand
from memory.records.access import Access
from memory.records.interactions import Gap, GapStatus

router = APIRouter(tags=["learn"])


class GapReply(Gap):
    """A gap, and how much it is asked for."""

    demand: GapDemand


class MergeRequest(BaseModel):
    """The gap to merge into."""

    model_config = ConfigDict(extra="forbid")

    into: str = Field(min_length=1, max_length=100)


@router.get("/v1/gaps", responses=openai_errors(422, 503))
async def gaps(
    service: ServiceDep,
    access: AccessDep,
    status: GapStatus | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[GapReply]:
    """Questions that the service could not answer, oldest first: the caller's own and those of admins."""
    database = service.runtime.database
    found = await database.gaps(status, access=access, limit=limit)
    demand = await gap_demand(database, (each.id for each in found))
    return [GapReply(**dict(each), demand=demand.get(each.id, GapDemand())) for each in found]


@router.get("/v1/gaps/{gap_id}", responses=openai_errors(404, 503))
async def gap(gap_id: str, service: ServiceDep, access: AccessDep) -> Gap:
    """One gap."""
    return await service.runtime.database.gap(gap_id, access=access)


@router.post("/v1/gaps/{gap_id}/dismiss", responses=openai_errors(400, 403, 404, 503))
async def dismiss(gap_id: str, service: ServiceDep, access: AccessDep) -> Gap:
    """Dismisses a gap: it is not learned, and its question opens no new gap."""
    await _writable(gap_id, service, access)
    return await service.runtime.database.dismiss_gap(gap_id)


@router.post("/v1/gaps/{gap_id}/merge", responses=openai_errors(400, 403, 404, 422, 503))
async def merge(gap_id: str, request: MergeRequest, service: ServiceDep, access: AccessDep) -> Gap:
    """Merges a gap into another one, which then covers its question too; returns the other one.

    Only admins merge gaps of different owners or domains.
    """
    one, other = [await _writable(each, service, access) for each in (gap_id, request.into)]
    if not access.everything and (one.owner, one.domain) != (other.owner, other.domain):
        raise Forbidden("only an admin's key may merge gaps of different owners or domains")
    return await service.runtime.database.merge_gap(gap_id, request.into)


@router.delete("/v1/gaps/{gap_id}", status_code=204, responses=openai_errors(400, 403, 404, 503))
async def delete(gap_id: str, service: ServiceDep, access: AccessDep) -> None:
    """Deletes a gap and its question; its runs stay."""
    await _writable(gap_id, service, access)
    await service.runtime.database.delete_gap(gap_id)


async def _writable(gap_id: str, service: Service, access: Access) -> Gap:
    """The gap, which the caller may change. Raises UnknownGap, DomainClosed."""
    gap = await service.runtime.database.gap(gap_id, access=access)
    access.require_write(gap.domain)
    return gap

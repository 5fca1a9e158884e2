"""The routes of gaps: list, dismiss, merge and delete what the service could not answer."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.compose import ServiceDep
from api.errors import refusals
from memory.records.interactions import Gap, GapStatus

router = APIRouter(tags=["learn"])


class Merge(BaseModel):
    """Into which gap another one is merged."""

    model_config = ConfigDict(extra="forbid")

    into: str = Field(min_length=1, max_length=100)


@router.get("/v1/gaps", responses=refusals(422, 503))
async def gaps(
    service: ServiceDep, status: GapStatus | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[Gap]:
    """Questions that the service could not answer, oldest first."""
    return list(await service.runtime.database.gaps(status, limit=limit))


@router.get("/v1/gaps/{gap_id}", responses=refusals(404, 503))
async def gap(gap_id: str, service: ServiceDep) -> Gap:
    """One gap."""
    return await service.runtime.database.gap(gap_id)


@router.post("/v1/gaps/{gap_id}/dismiss", responses=refusals(400, 404, 503))
async def dismiss(gap_id: str, service: ServiceDep) -> Gap:
    """Notes that nobody wants the gap learned: its question opens no gap again."""
    return await service.runtime.database.dismiss_gap(gap_id)


@router.post("/v1/gaps/{gap_id}/merge", responses=refusals(400, 404, 422, 503))
async def merge(gap_id: str, request: Merge, service: ServiceDep) -> Gap:
    """Lets another gap stand for this one's question too, and returns that one."""
    return await service.runtime.database.merge_gap(gap_id, request.into)


@router.delete("/v1/gaps/{gap_id}", status_code=204, responses=refusals(400, 404, 503))
async def delete(gap_id: str, service: ServiceDep) -> None:
    """Removes a gap and its question; runs that were about it stay."""
    await service.runtime.database.delete_gap(gap_id)

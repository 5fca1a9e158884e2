"""Routes of what nights found: revisions and golden pairs with people's decisions, and topics."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from agent.nights.revision.archive import archive_answers, archive_golden
from api.auth import CallerDep
from api.callers import Caller
from api.compose import ServiceDep
from api.errors import openai_errors
from api.limits import reject_nul
from memory.records.base import Domain
from memory.records.nights import (
    GoldenPair,
    GoldenStatus,
    Revision,
    RevisionStatus,
    Topic,
)

router = APIRouter(prefix="/v1", tags=["nights"], dependencies=[Depends(reject_nul)])
Limit = Annotated[int, Query(ge=1, le=1000)]
NightId = Annotated[str | None, Query(max_length=100)]


class Decision(BaseModel):
    """A person's decision."""

    model_config = ConfigDict(extra="forbid")

    approve: bool


@router.get("/revisions", responses=openai_errors(422, 503))
async def revisions(
    service: ServiceDep,
    night_id: NightId = None,
    domain: Domain | None = None,
    status: RevisionStatus | None = None,
    limit: Limit = 100,
) -> list[Revision]:
    """Revised answers, newest first; those with status `needs_person` wait for a decision."""
    found = await service.runtime.nights.revisions(
        night_id=night_id, domain=domain, status=status, limit=limit
    )
    return list(found)


@router.post("/revisions/{revision_id}", responses=openai_errors(400, 404, 422, 503))
async def decide_revision(
    revision_id: str, decision: Decision, service: ServiceDep, caller: CallerDep
) -> Revision:
    """Approves a revised answer, which chat and lessons then use, or declines it; the last decision counts.

    An answer that cites no source cannot be approved.
    """
    store = service.runtime.nights
    revision = await store.revision(revision_id)
    if decision.approve and not revision.citations:
        raise ValueError(
            f"revision {revision_id} cites no source, so it cannot be approved: add a document that answers"
            " its question, or decline it"
        )
    changes = {"status": "improved" if decision.approve else "rejected", "decided_by": _name(caller)}
    decided = revision.model_copy(update=changes)
    await store.save_revision(decided)
    await archive_answers([decided], archive=service.runtime.answers, now=service.runtime.clock())
    return decided


@router.get("/golden", responses=openai_errors(422, 503))
async def golden(
    service: ServiceDep,
    night_id: NightId = None,
    domain: Domain | None = None,
    status: GoldenStatus | None = None,
    limit: Limit = 100,
) -> list[GoldenPair]:
    """Questions with verified answers, newest first; those with status `waiting` wait for a decision."""
    found = await service.runtime.nights.golden(night_id=night_id, domain=domain, status=status, limit=limit)
    return list(found)


@router.post("/golden/{pair_id}", responses=openai_errors(404, 422, 503))
async def decide_golden(
    pair_id: str, decision: Decision, service: ServiceDep, caller: CallerDep
) -> GoldenPair:
    """Approves a golden pair, or declines it, so that it is not taught; the last decision counts."""
    decided = await service.runtime.nights.decide_golden(pair_id, decision.approve, _name(caller))
    await archive_golden([decided], archive=service.runtime.answers, now=service.runtime.clock())
    return decided


@router.get("/topics", responses=openai_errors(422, 503))
async def topics(
    service: ServiceDep, domain: Annotated[Domain, Query()], night_id: NightId = None, limit: Limit = 100
) -> list[Topic]:
    """What a domain's questions were about, newest night first, without the topics' embeddings."""
    found = await service.runtime.nights.topics(domain=domain, night_id=night_id, limit=limit)
    return [topic.model_copy(update={"centre": ()}) for topic in found]


def _name(caller: Caller) -> str:
    return caller.owner or "admin"

"""Routes of what nights found: revisions and golden pairs with people's decisions, and topics."""

from datetime import datetime
from typing import Annotated, TypedDict

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from agent.nights import decisions
from api.auth import AccessDep, CallerDep
from api.callers import Caller
from api.compose import Service, ServiceDep
from api.errors import openai_errors
from api.limits import reject_nul
from memory.nights.answers import AnswerArchive
from memory.nights.store import NightStore
from memory.records.access import Access
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
    access: AccessDep,
    night_id: NightId = None,
    domain: Domain | None = None,
    status: RevisionStatus | None = None,
    limit: Limit = 100,
) -> list[Revision]:
    """Revised answers, newest first; those with status `needs_person` wait for a decision."""
    found = await service.runtime.nights.revisions(
        night_id=night_id, domain=domain, status=status, access=access, limit=limit
    )
    return [each for each in found if access.may_quote(each.citations)]


@router.post("/revisions/{revision_id}", responses=openai_errors(400, 403, 404, 422, 503))
async def decide_revision(
    revision_id: str, decision: Decision, service: ServiceDep, caller: CallerDep, access: AccessDep
) -> Revision:
    """Approves a revised answer, which chat and lessons then use, or declines it; the last decision counts.

    An answer that cites no source cannot be approved. Golden pairs made of it get the same decision.
    """
    _require_approver(decision, caller)
    # The audit log keeps every row forever, so it is not for requests about nothing.
    await decisions.changeable_revision(revision_id, access, service.runtime.nights)
    details = {"approve": decision.approve}
    audit = service.runtime.audit
    async with audit.acting("revision.decide", by=caller.name, subject=revision_id, details=details):
        return await decisions.decide_revision(revision_id, **_how(decision, service, caller, access))


@router.get("/golden", responses=openai_errors(422, 503))
async def golden(
    service: ServiceDep,
    access: AccessDep,
    night_id: NightId = None,
    domain: Domain | None = None,
    status: GoldenStatus | None = None,
    queue: bool = False,
    limit: Limit = 100,
) -> list[GoldenPair]:
    """Questions with verified answers, newest first; those with status `waiting` wait for a decision.

    `queue` lists all that people should look at: drawn for a spot check, and not decided on by anybody.
    Those with status `approved` are taught meanwhile.
    """
    store = service.runtime.nights
    if not queue:
        found = await store.golden(
            night_id=night_id, domain=domain, status=status, access=access, limit=limit
        )
        return [each for each in found if access.may_quote(each.citations)]
    queued = await store.golden_queue(night_id=night_id, domain=domain, access=access, limit=limit)
    return [pair for pair in queued if status in (None, pair.status) and access.may_quote(pair.citations)]


@router.post("/golden/{pair_id}", responses=openai_errors(403, 404, 422, 503))
async def decide_golden(
    pair_id: str, decision: Decision, service: ServiceDep, caller: CallerDep, access: AccessDep
) -> GoldenPair:
    """Approves a golden pair, or declines it, so that it is not taught; the last decision counts.

    The revision that it was made of gets the same decision.
    """
    _require_approver(decision, caller)
    await decisions.changeable_golden(pair_id, access, service.runtime.nights)
    details = {"approve": decision.approve}
    audit = service.runtime.audit
    async with audit.acting("golden.decide", by=caller.name, subject=pair_id, details=details):
        return await decisions.decide_golden(pair_id, **_how(decision, service, caller, access))


@router.get("/topics", responses=openai_errors(422, 503))
async def topics(
    service: ServiceDep,
    access: AccessDep,
    domain: Annotated[Domain, Query()],
    night_id: NightId = None,
    limit: Limit = 100,
) -> list[Topic]:
    """What a domain's questions were about, newest night first, without the topics' embeddings."""
    found = await service.runtime.nights.topics(domain=domain, night_id=night_id, access=access, limit=limit)
    return [topic.model_copy(update={"centre": ()}) for topic in found]


def _require_approver(decision: Decision, caller: Caller) -> None:
    """Raises Forbidden for an approval without the scope, because what is approved is taught."""
    if decision.approve:
        caller.require("approve")


class _How(TypedDict):
    approve: bool
    by: str
    access: Access
    store: NightStore
    archive: AnswerArchive
    now: datetime


def _how(decision: Decision, service: Service, caller: Caller, access: Access) -> _How:
    runtime = service.runtime
    return {
        "approve": decision.approve,
        "by": caller.name,
        "access": access,
        "store": runtime.nights,
        "archive": runtime.answers,
        "now": runtime.clock(),
    }

"""Routes of statements, what users said about themselves: list them, and forget those of one user."""

import asyncio
from collections import defaultdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from agent.feedback.pseudonyms import pseudonym
from agent.nights.statements.consolidate import MAX_STATEMENTS, forget_unit
from agent.nights.statements.contradictions import disputes
from api.auth import CallerDep
from api.compose import Service, ServiceDep
from api.errors import openai_errors
from api.limits import reject_nul
from api.openai.requests import UNIT_CHARACTERS
from memory.records.base import Domain
from memory.records.nights import Statement, StatementStatus

router = APIRouter(prefix="/v1/statements", tags=["nights"], dependencies=[Depends(reject_nul)])
Unit = Annotated[
    str,
    Query(
        min_length=1,
        max_length=UNIT_CHARACTERS,
        description="The pseudonym as listed, or the user or conversation as the client named it.",
    ),
]


class Forgotten(BaseModel):
    """What was deleted."""

    statements: int


class Dispute(BaseModel):
    """Statements about one thing in which users contradict each other."""

    statements: list[Statement]


@router.get("", responses=openai_errors(422, 503))
async def listing(
    service: ServiceDep,
    unit: Unit | None = None,
    status: StatementStatus | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Statement]:
    """What users stated, latest first."""
    store = service.runtime.nights
    for each in [None] if unit is None else _names(unit, service):
        found = await store.statements(unit=each, status=status, limit=limit)
        if found:
            return list(found)
    return []


@router.get("/disputed", responses=openai_errors(422, 503))
async def disputed(service: ServiceDep, domain: Domain | None = None) -> list[Dispute]:
    """Current statements in which users of a domain contradict each other.

    Lessons hold none of them, until users state otherwise or what one of them stated is forgotten.
    """
    store = service.runtime.nights
    current = await store.statements(domain=domain, status="current", limit=MAX_STATEMENTS)
    by_domain: dict[str, list[Statement]] = defaultdict(list)
    for each in current:
        by_domain[each.domain].append(each)
    return [
        Dispute(statements=list(group))
        for _, stated in sorted(by_domain.items())
        for group in await asyncio.to_thread(disputes, stated)
    ]


@router.delete("", responses=openai_errors(422, 429, 503))
async def forget(unit: Unit, service: ServiceDep, caller: CallerDep) -> Forgotten:
    """Deletes what one user or conversation stated, and the facts made of it.

    Their chat turns stay, but nights do not read them for statements again.
    """
    await service.rate_limits.spend("erasures", caller.owner)
    runtime = service.runtime
    names = _names(unit, service)
    async with runtime.audit.acting("memory.forget", by=caller.name, subject=names[-1]):
        counts = [
            await forget_unit(each, store=runtime.nights, semantic=runtime.semantic, now=runtime.clock())
            for each in names
        ]
    return Forgotten(statements=sum(counts))


def _names(unit: str, service: Service) -> list[str]:
    return [unit, pseudonym(unit, service.runtime.pseudonym_key)]

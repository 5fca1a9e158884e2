"""Routes of facts: those about a name, those that contradict each other, those to look up again, and names.

They are for keys of scope `learn`; all but the first read all facts, which takes seconds if there are many.
"""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from agent.learning.contradictions import Conflict, first_conflicts
from agent.learning.fact_standing import is_stale
from api.auth import AccessDep
from api.compose import Service, ServiceDep
from api.errors import openai_errors
from api.limits import reject_nul
from api.nightschool.weighed_facts import WeighedFact, weighed
from memory.records.access import Access
from memory.records.base import Domain
from memory.records.knowledge import Fact
from memory.semantic.alike import alike_names
from memory.semantic.naming import about_by_any_name, by_domain

router = APIRouter(prefix="/v1/memory", tags=["memory"], dependencies=[Depends(reject_nul)])
MOST_FACTS = 100_000
"""Facts that are read to compare them; beyond, replies say that they are not complete."""
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("/facts", responses=openai_errors(422, 503))
async def about(
    service: ServiceDep,
    access: AccessDep,
    about: Annotated[str, Query(min_length=1, max_length=500)],
    domain: Domain | None = None,
    limit: Limit = 100,
) -> list[WeighedFact]:
    """Facts whose subject or object is this name, ignoring case, plural and article; as subject first.

    Those under another name of the same thing, such as its abbreviation, come after them.
    """
    known = await about_by_any_name(
        service.runtime.semantic, [about], access=access, domain=domain, limit=limit
    )
    return await weighed(known.facts, service.runtime.semantic, access=access)


class Conflicts(BaseModel):
    """Facts that cannot both be true."""

    total: int
    views: int
    """Of these, what perspectives see differently: nobody needs to be wrong."""
    complete: bool
    """Whether all facts were compared; else there may be more conflicts than the total."""
    conflicts: list[Conflict]
    """The first of them."""


@router.get("/conflicts", responses=openai_errors(422, 503))
async def contradicting(
    service: ServiceDep,
    access: AccessDep,
    domain: Domain | None = None,
    limit: Limit = 100,
) -> Conflicts:
    """Lists pairs of facts that contradict each other, with the one that is current and why.

    Both stay in memory. Correct or remove the document that is wrong, and the conflict is gone. What declared
    perspectives see differently is of kind `view`: nobody needs to be wrong.
    """
    now = service.runtime.clock()
    async with service.analyses.turn():
        facts, complete = await _read(service, access, domain)
        viewpoints = await service.perspectives.viewpoints(access)
        found, more = await service.analyses.run(lambda: first_conflicts(facts, viewpoints, now=now))
    views = sum(each.kind == "view" for each in found)
    return Conflicts(
        total=len(found), views=views, complete=complete and not more, conflicts=list(found[:limit])
    )


class StaleFacts(BaseModel):
    """Facts that should be looked up again."""

    total: int
    complete: bool
    """Whether all facts were looked at; else only MOST_FACTS of them."""
    facts: list[Fact]
    """The first of them, by subject."""


@router.get("/stale", responses=openai_errors(422, 503))
async def stale(
    service: ServiceDep, access: AccessDep, domain: Domain | None = None, limit: Limit = 100
) -> StaleFacts:
    """Lists facts that describe a state and are old: look them up again.

    A state (`is the mayor`) is stale a year after the date of its sentence or document or, without one, after
    it was first read, a plan (`will open`) after half a year; what happened in the past never is.
    """
    now = service.runtime.clock()
    async with service.analyses.turn():
        facts, complete = await _read(service, access, domain)
        found = await service.analyses.run(lambda: [fact for fact in facts if is_stale(fact, now)])
    found.sort(key=lambda fact: (fact.subject, fact.id))
    return StaleFacts(total=len(found), complete=complete, facts=found[:limit])


class NamesOfOne(BaseModel):
    """Names that count as the same thing's."""

    domain: Domain
    names: tuple[str, ...]
    """The longest first."""
    because: tuple[Fact, ...]


class NamesApart(BaseModel):
    """Names that differ in case or plural alone, and that a triple keeps apart."""

    domain: Domain
    names: tuple[str, str]
    because: Fact


class AlikeNames(BaseModel):
    """Two names that are spelled alike, and count as two things."""

    domain: Domain
    first: str
    second: str
    similarity: float


class Names(BaseModel):
    """What counts as one thing, and what may be one."""

    same: list[NamesOfOne]
    apart: list[NamesApart]
    alike: list[AlikeNames]
    complete: bool
    """Whether all names were compared; else others may be spelled alike."""


@router.get("/names", responses=openai_errors(422, 503))
async def names(
    service: ServiceDep, access: AccessDep, domain: Domain | None = None, limit: Limit = 100
) -> Names:
    """Lists names that count as one thing, with the facts that say so, and names that are spelled alike.

    To decide otherwise, ingest a triple: `A,is the same as,B` or `A,is not the same as,B`, also for names
    that differ in case or plural alone. Remove its document to undo it.
    """
    async with service.analyses.turn():
        facts, complete = await _read(service, access, domain)
        (joined, apart), (alike, more) = await service.analyses.run(
            lambda: (_decided(facts), alike_names(facts))
        )
    pairs = [AlikeNames(**pair._asdict()) for pair in alike[:limit]]
    return Names(same=joined[:limit], apart=apart[:limit], alike=pairs, complete=complete and not more)


async def _read(service: Service, access: Access, domain: Domain | None) -> tuple[Sequence[Fact], bool]:
    """At most MOST_FACTS facts that may be read, and whether these are all."""
    facts = await service.runtime.semantic.all(access=access, domain=domain, limit=MOST_FACTS + 1)
    return facts[:MOST_FACTS], len(facts) <= MOST_FACTS


def _decided(facts: Sequence[Fact]) -> tuple[list[NamesOfOne], list[NamesApart]]:
    domains = by_domain(facts)
    joined = [
        NamesOfOne(domain=each, names=group, because=because)
        for each, same in domains.items()
        for group, because in same.groups()
    ]
    apart = [
        NamesApart(domain=each, names=(fact.subject, fact.object), because=fact)
        for each, same in domains.items()
        for fact in same.told_apart
    ]
    return joined, apart

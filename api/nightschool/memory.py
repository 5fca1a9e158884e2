"""Routes of memory: forget a user, a document or a record; list contradicting and old facts."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from agent.feedback.pseudonyms import pseudonym
from agent.learning.contradictions import Conflict, conflicts
from agent.learning.fact_standing import is_stale
from api.auth import AccessDep, CallerDep
from api.compose import ServiceDep
from api.errors import openai_errors
from api.limits import reject_nul
from api.openai.replies import turn_id_of
from graphs.server.erasure import Erased, Erasure
from memory.records.base import Domain
from memory.records.knowledge import Fact
from memory.server.erasure import Target

router = APIRouter(prefix="/v1/memory", tags=["memory"], dependencies=[Depends(reject_nul)])
Limit = Annotated[int, Query(ge=1, le=1000)]
Name = Annotated[str | None, Query(min_length=1, max_length=2000)]


@router.delete("", responses=openai_errors(400, 403, 409, 422, 429, 503))
async def forget(
    service: ServiceDep, caller: CallerDep, user: Name = None, source: Name = None, id: Name = None
) -> Erased:
    """Forgets a user, a document or one turn, thread, gap or statement, and purges the stores' files.

    Takes seconds to minutes. Repeating it completes what was broken off. Keys of other scopes than admin
    forget only what belongs to their owner; documents need the scope learn.
    """
    targets = {kind: name for kind, name in (("user", user), ("source", source), ("id", id)) if name}
    if len(targets) != 1:
        raise ValueError("name one of user, source and id")
    ((kind, name),) = targets.items()
    if kind == "source":
        caller.require("learn")
    await service.rate_limits.spend("erasures", caller.owner)
    runtime = service.runtime
    units = (name, pseudonym(name, runtime.pseudonym_key))
    target = Target.model_validate(
        {
            "kind": kind,
            "value": turn_id_of(name) if kind == "id" else name,
            "units": () if kind == "source" else units,
            "owner": caller.owner,
        }
    )
    erasure = Erasure(
        runtime=runtime,
        executor=service.executor,
        items=service.items,
        databases=service.settings.database_urls,
    )
    async with (
        service.document_writer.alone(),
        runtime.audit.acting("memory.forget", by=caller.name, subject=units[1], details={"kind": kind}),
    ):
        return await erasure.forget(target)


class Conflicts(BaseModel):
    """Facts that cannot both be true."""

    total: int
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

    Both stay in memory. Correct or remove the document that is wrong, and the conflict is gone.
    """
    facts = await service.runtime.semantic.all(access=access, domain=domain)
    found = await asyncio.to_thread(conflicts, facts)
    return Conflicts(total=len(found), conflicts=list(found[:limit]))


class StaleFacts(BaseModel):
    """Facts that should be looked up again."""

    total: int
    facts: list[Fact]
    """The first of them, by subject."""


@router.get("/stale", responses=openai_errors(422, 503))
async def stale(
    service: ServiceDep, access: AccessDep, domain: Domain | None = None, limit: Limit = 100
) -> StaleFacts:
    """Lists facts that have ended, or that describe a state and were read long ago: look them up again.

    A state (`is the mayor`) is stale a year after its document was first read, a plan (`will open`) after
    half a year; what happened in the past never is.
    """
    facts = await service.runtime.semantic.all(access=access, domain=domain)
    now = service.runtime.clock()
    found = await asyncio.to_thread(lambda: [fact for fact in facts if is_stale(fact, now)])
    found.sort(key=lambda fact: (fact.subject, fact.id))
    return StaleFacts(total=len(found), facts=found[:limit])

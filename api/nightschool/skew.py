"""The route of skew: who and what is over- or under-represented in what a domain learned."""

from fastapi import APIRouter, Depends

from agent.skew.records import SkewReport
from api.auth import AccessDep, CallerDep
from api.compose import ServiceDep
from api.errors import openai_errors
from api.limits import reject_nul
from api.nightschool.interactions import Since, check_period
from graphs.skew import domain_skew
from memory.records.base import Domain

router = APIRouter(prefix="/v1/skew", tags=["nights"], dependencies=[Depends(reject_nul)])


@router.get("", responses=openai_errors(400, 422, 503))
async def skew(
    service: ServiceDep,
    caller: CallerDep,
    access: AccessDep,
    domain: Domain | None = None,
    since: Since = None,
) -> SkewReport:
    """How sources, topics, languages, users and annotators are represented in what a domain learned.

    Compared with what was asked since then, by default in the last 30 days, of the base model's domain unless
    told otherwise. Keys of other scopes than admin see this of their own turns. May take some seconds.
    """
    runtime, now = service.runtime, service.runtime.clock()
    check_period(since, now)
    async with service.analyses.turn():
        return await domain_skew(
            domain or runtime.base.domain,
            runtime,
            since=since,
            until=now,
            access=access,
            owner=caller.owner,
            compute=service.analyses.run,
        )

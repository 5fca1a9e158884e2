"""The route of attacks: how nights tried to lead the model astray, and what it answered."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.auth import AccessDep
from api.compose import ServiceDep
from api.errors import openai_errors
from api.limits import reject_nul
from memory.nights.attacks import Attacks
from memory.records.attacks import Attack, AttackResult
from memory.records.base import Domain

router = APIRouter(prefix="/v1/attacks", tags=["nights"], dependencies=[Depends(reject_nul)])


@router.get("", responses=openai_errors(422, 503))
async def attacks(
    service: ServiceDep,
    access: AccessDep,
    night_id: Annotated[str | None, Query(max_length=100)] = None,
    domain: Domain | None = None,
    result: AttackResult | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Attack]:
    """Attacks of nights with the model's answers, newest first; it fell for those with result `fell`.

    Later lessons are measured on these, see the adapter's evaluation.
    """
    store = Attacks(service.runtime.database)
    return list(await store.list(night_id=night_id, domain=domain, result=result, access=access, limit=limit))

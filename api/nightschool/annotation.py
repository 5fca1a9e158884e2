"""Routes of annotators: take an item, judge it, or give it back."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.auth import AccessDep, CallerDep
from api.callers import Caller
from api.compose import ServiceDep
from api.errors import Forbidden, openai_errors
from api.limits import reject_nul
from graphs.turn_log import scrubbed
from memory.errors import UnknownAnnotationItem
from memory.feedback.annotations import AnnotationTask, AnnotatorProgress
from memory.records.feedback import Choice, Judgement

router = APIRouter(prefix="/v1/annotation", tags=["annotation"], dependencies=[Depends(reject_nul)])

OPERATOR = "operator"
"""Name of an annotator who is an admin, or needs no key, and gives no name."""
LONGEST_SECONDS = 86_400.0
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
ItemId = Annotated[str, Path(max_length=100, pattern=r"^[\w.:-]+$", description="Id of an annotation item.")]
Comment = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000)]
Rewrite = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=32_000)]
Annotator = Annotated[
    Name | None, Query(description="Who annotates, if it is not the key's owner; admins only.")
]


class JudgementRequest(BaseModel):
    """A decision on an item."""

    model_config = ConfigDict(extra="forbid")

    choice: Choice
    comment: Comment = ""
    rewrite: Rewrite | None = None
    """A better answer than both."""
    seconds: float | None = Field(None, ge=0, le=LONGEST_SECONDS, allow_inf_nan=False)
    """Time that the annotator took."""
    annotator: Name | None = None
    """Who judges. Only an admin, or a caller that needs no key, may name another than the key's owner."""


class ReleaseRequest(BaseModel):
    """Whose lease to end."""

    model_config = ConfigDict(extra="forbid")

    annotator: Name | None = None


@router.get("/next", responses=openai_errors(400, 422, 503))
async def next_item(
    service: ServiceDep, caller: CallerDep, access: AccessDep, annotator: Annotator = None
) -> AnnotationTask | None:
    """Leases the best open item to the annotator for 15 minutes; null if nothing is left for it.

    Items are of all users, without personal data, in open domains and in closed ones granted to the key.
    """
    runtime = service.runtime
    return await runtime.annotations.next(annotator_of(caller, annotator), runtime.clock(), access=access)


@router.get("/progress", responses=openai_errors(400, 422, 503))
async def progress(
    service: ServiceDep, caller: CallerDep, access: AccessDep, annotator: Annotator = None
) -> AnnotatorProgress:
    """How many items the annotator judged and skipped, and how many are left for it."""
    name = annotator_of(caller, annotator)
    return await service.runtime.annotations.progress_of(name, service.runtime.clock(), access=access)


@router.post("/items/{item_id}/judgement", responses=openai_errors(400, 404, 409, 413, 422, 503))
async def judge(
    item_id: ItemId, request: JudgementRequest, service: ServiceDep, caller: CallerDep, access: AccessDep
) -> Judgement:
    """Judges an item; while it is open, another judgement by the same annotator replaces the first."""
    runtime = service.runtime
    if not access.may_use((await service.runtime.annotations.get(item_id)).domain):
        raise UnknownAnnotationItem(f"no annotation item {item_id}")
    comment, rewrite = await scrubbed([request.comment, request.rewrite or ""], runtime.scrubber)
    judgement = Judgement(
        item_id=item_id,
        annotator=annotator_of(caller, request.annotator),
        choice=request.choice,
        comment=comment,
        rewrite=rewrite or None,
        seconds=request.seconds,
        created_at=runtime.clock(),
    )
    return await service.runtime.annotations.judge(judgement)


@router.post("/items/{item_id}/release", status_code=204, responses=openai_errors(400, 404, 422, 503))
async def release(
    item_id: ItemId, service: ServiceDep, caller: CallerDep, request: ReleaseRequest | None = None
) -> None:
    """Ends the annotator's lease on the item, so that others can have it."""
    name = None if request is None else request.annotator
    await service.runtime.annotations.release(item_id, annotator_of(caller, name))


def annotator_of(caller: Caller, name: str | None) -> str:
    """Who annotates: the key's owner, or for admins and services without keys the given name.

    Raises Forbidden for another name than the owner's.
    """
    if caller.owner is None:
        return name or OPERATOR
    if name not in (None, caller.owner):
        raise Forbidden(f"this key annotates as {caller.owner}: leave `annotator` out, or use an admin's key")
    return caller.owner

"""Routes of the interaction log: list chat turns, read one with its feedback, export a period."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from agent.feedback.implicit import implicit_scores, seed_weights
from agent.feedback.pseudonyms import pseudonym
from api.auth import CallerDep
from api.compose import Service, ServiceDep
from api.errors import openai_errors
from api.limits import reject_nul
from api.openai.replies import turn_id_of
from api.openai.requests import UNIT_CHARACTERS
from memory.feedback.feedback import by_interaction
from memory.records.feedback import Feedback
from memory.records.interactions import ChatOutcome, Interaction
from memory.records.moments import Moment

router = APIRouter(tags=["feedback"], dependencies=[Depends(reject_nul)])

AROUND = timedelta(hours=6)
"""Turns of the same unit that are read to score one: longer sessions are rare."""
MAX_TURNS = 1000

Since = Annotated[Moment | None, Query(description="Turns from then on; without a time zone in UTC.")]
Until = Annotated[Moment | None, Query(description="Turns before then; without a time zone in UTC.")]


class InteractionReply(BaseModel):
    """A chat turn with what its user thinks of it."""

    interaction: Interaction
    feedback: tuple[Feedback, ...]
    """Oldest first; of each kind, a user's latest counts."""
    implicit_score: float
    """By the recipe `seed_weights`, from implicit feedback and the unit's other turns."""


class ExportedInteraction(Interaction):
    """One line of an export: a chat turn with its feedback."""

    feedback: tuple[Feedback, ...]


@router.get("/v1/interactions", responses=openai_errors(400, 404, 422, 503))
async def interactions(
    service: ServiceDep,
    caller: CallerDep,
    since: Since = None,
    until: Until = None,
    domain: Annotated[str | None, Query(max_length=100)] = None,
    unit: Annotated[
        str | None,
        Query(
            max_length=UNIT_CHARACTERS,
            description="The pseudonym as listed, or the user or conversation as the client named it.",
        ),
    ] = None,
    outcome: ChatOutcome | None = None,
    after: Annotated[
        str | None, Query(max_length=200, description="Id of the last turn of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Interaction]:
    """Logged chat turns, newest first."""
    check_period(since, until)
    runtime = service.runtime
    units = [None] if unit is None else [unit, pseudonym(unit, runtime.pseudonym_key)]
    for each in units:
        found = await runtime.interactions.list(
            since=since,
            until=until,
            domain=domain,
            unit=each,
            outcome=outcome,
            owner=caller.owner,
            after=None if after is None else turn_id_of(after),
            limit=limit,
        )
        if found:
            return list(found)
    return []


@router.get(
    "/v1/interactions/export",
    response_class=StreamingResponse,
    responses=openai_errors(400, 422, 503)
    | {200: {"model": ExportedInteraction, "content": {"application/x-ndjson": {}}}},
)
async def export(
    service: ServiceDep, caller: CallerDep, since: Since = None, until: Until = None
) -> StreamingResponse:
    """The chat turns of a period with their feedback, oldest first, one JSON object a line."""
    check_period(since, until)
    pages = service.runtime.interactions.stream(since, until, owner=caller.owner)
    first = await anext(pages, None)  # before the reply starts, so that an error has its own status
    return StreamingResponse(_lines(first, pages, service), media_type="application/x-ndjson")


@router.get("/v1/interactions/{interaction_id}", responses=openai_errors(404, 503))
async def interaction(interaction_id: str, service: ServiceDep, caller: CallerDep) -> InteractionReply:
    """One chat turn with its feedback and its implicit score."""
    log = service.runtime.interactions
    turn = await log.get(turn_id_of(interaction_id), owner=caller.owner)
    around: tuple[Interaction, ...] = (turn,)
    if turn.unit is not None:
        around += tuple(
            other
            for other in await log.list(
                since=turn.created_at - AROUND,
                until=turn.created_at + AROUND,
                unit=turn.unit,
                owner=turn.owner,
                limit=MAX_TURNS,
            )
            if other.id != turn.id
        )
    feedback = await service.runtime.feedback.of([turn.id])
    scores = implicit_scores(around, feedback, seed_weights())
    return InteractionReply(interaction=turn, feedback=feedback, implicit_score=scores[turn.id])


async def _lines(
    page: tuple[Interaction, ...] | None, rest: AsyncIterator[tuple[Interaction, ...]], service: Service
) -> AsyncIterator[str]:
    while page is not None:
        given = by_interaction(await service.runtime.feedback.of(turn.id for turn in page))
        yield "".join(
            ExportedInteraction(**dict(turn), feedback=given.get(turn.id, ())).model_dump_json() + "\n"
            for turn in page
        )
        page = await anext(rest, None)


def check_period(since: datetime | None, until: datetime | None) -> None:
    """Raises ValueError for a period that ends before it begins."""
    if since is not None and until is not None and since >= until:
        raise ValueError("since: has to be earlier than until")

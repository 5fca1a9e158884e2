"""The route of feedback: ratings, votes, comments, corrections and behaviour, on a logged chat turn."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from agent.feedback.corrections import open_corrected_gap
from agent.nights.reported import ReportedTurns, reported_as_private
from api.auth import CallerDep
from api.compose import Service, ServiceDep
from api.errors import openai_errors
from api.limits import reject_nul
from api.openai.replies import turn_id_of
from graphs.turn_log import scrubbed
from memory.errors import UnknownInteraction
from memory.records.feedback import Feedback, FeedbackKind
from memory.records.interactions import Gap, GapStatus, Interaction

router = APIRouter(tags=["feedback"], dependencies=[Depends(reject_nul)])

LONGEST_DWELL = 7 * 86_400.0
"""A page that stayed open for longer says nothing."""
Comment = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
Flag = Annotated[bool | None, Field(strict=True)]


class FeedbackRequest(BaseModel):
    """Feedback on one chat turn: at least one kind. Of each kind, a user's latest counts."""

    model_config = ConfigDict(extra="forbid")

    interaction_id: str = Field(min_length=1, max_length=200)
    """As the client saw it: the id of a chat completion, a response, its message, or a thread's message."""
    rating: Annotated[int | None, Field(ge=1, le=5, strict=True)] = None
    """Stars."""
    vote: Literal["up", "down"] | None = None
    comment: Comment | None = None
    correction: Comment | None = None
    """The right answer. It opens a gap, whose lesson needs a source that says so; in preference sets it is
    preferred to the served answer, and nothing verifies it."""
    continued: Flag = None
    """Whether the user went on from the answer."""
    copied: Flag = None
    regenerated: Flag = None
    dwell_seconds: float | None = Field(None, ge=0, le=LONGEST_DWELL, allow_inf_nan=False)
    """How long the user stayed with the answer."""
    reported: Comment | None = None
    """Why the answer is reported."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any(True for _ in self.statements()):
            kinds = sorted(set(type(self).model_fields) - {"interaction_id"})
            raise ValueError(f"send at least one of {', '.join(kinds)}")
        return self

    def statements(self) -> Iterator[tuple[FeedbackKind, float | None, str | None]]:
        """Kind, value and text of each kind of feedback that is given."""
        votes = {"up": 1.0, "down": -1.0}
        values: dict[FeedbackKind, float | None] = {
            "rating": self.rating,
            "vote": None if self.vote is None else votes[self.vote],
            "continued": self.continued,
            "copied": self.copied,
            "regenerated": self.regenerated,
            "dwell": self.dwell_seconds,
        }
        texts: dict[FeedbackKind, str | None] = {
            "comment": self.comment,
            "correction": self.correction,
            "reported": self.reported,
        }
        yield from ((kind, float(value), None) for kind, value in values.items() if value is not None)
        yield from ((kind, None, text) for kind, text in texts.items() if text is not None)


class FeedbackReply(BaseModel):
    """The feedback as it was stored, without personal data."""

    interaction_id: str
    feedback: tuple[Feedback, ...]
    gap_id: str | None
    """The gap that the correction is kept with; null without a correction."""
    gap_status: GapStatus | None
    """Null without a correction. `dismissed`: a person decided not to learn the gap, and it stays so."""


@router.post(
    "/v1/feedback",
    status_code=201,
    responses=openai_errors(400, 404, 413, 422, 503)
    | {200: {"model": FeedbackReply, "description": "The same was said before."}},
)
async def give_feedback(
    request: FeedbackRequest, service: ServiceDep, caller: CallerDep, response: Response
) -> FeedbackReply:
    """Stores feedback on a chat turn, for as long as the turn is kept; the same again changes nothing.

    A turn that is reported as private is taken from the annotators, who may have it already, with those that
    quote it.
    """
    runtime = service.runtime
    now = runtime.clock()
    interaction_id = turn_id_of(request.interaction_id)
    interaction = await runtime.interactions.get(interaction_id, owner=caller.owner)
    _require_kept(interaction, service, now)
    statements = list(request.statements())
    texts = await scrubbed([text or "" for _, _, text in statements], runtime.scrubber)
    given = [
        Feedback(
            id=runtime.new_id(),
            interaction_id=interaction_id,
            kind=kind,
            value=value,
            text=text or None,
            owner=caller.owner,
            created_at=now,
        )
        for (kind, value, _), text in zip(statements, texts, strict=True)
    ]
    if any(each.kind == "correction" and each.text == interaction.answer.strip() for each in given):
        raise ValueError("correction: it is the answer that the service gave; send another one")
    stored = await service.runtime.feedback.add(*given)
    if {each.id for each in stored}.isdisjoint(each.id for each in given):
        response.status_code = 200
    if reported_as_private(stored):
        await _take_from_annotators(interaction, service)
    gap: Gap | None = None
    for each in stored:
        if each.kind == "correction":  # also one that is repeated, as the first attempt may not have got here
            gap = await open_corrected_gap(
                interaction, each, database=runtime.database, id=runtime.new_id(), now=now
            )
    return FeedbackReply(
        interaction_id=interaction_id,
        feedback=stored,
        gap_id=gap.id if gap else None,
        gap_status=gap.status if gap else None,
    )


async def _take_from_annotators(reported: Interaction, service: Service) -> None:
    annotations, private = service.runtime.annotations, ReportedTurns([reported])
    shown = await service.runtime.interactions.of(await annotations.interaction_ids())
    for id in [reported.id, *(turn.id for turn in shown if private.cover(turn))]:
        await annotations.withdraw(id)


def _require_kept(interaction: Interaction, service: Service, now: datetime) -> None:
    """Raises UnknownInteraction for a turn that is older than the retention, deleted or not."""
    kept = service.settings.interactions_kept
    if interaction.created_at < now - kept:
        raise UnknownInteraction(
            f"interaction {interaction.id} is too old: turns and their feedback are kept for {kept.days} days"
        )

"""A chat turn as its caller gets it: finished, or in pieces while it is streamed."""

from agent.chat.routing import Route
from agent.engines.base import FinishReason, Token, ToolCall
from memory.records.base import Record
from memory.records.interactions import ChatOutcome, Intent, Uncertainty
from memory.records.knowledge import Citation


class Piece(Record):
    """A stretch of the answer that may go out, as a custom stream event."""

    turn_id: str
    adapter: str | None
    tokens: tuple[Token, ...]


class Turn(Record):
    """A finished chat turn, with everything that a caller may want to know about it."""

    id: str
    question: str
    answer: str
    intent: Intent
    outcome: ChatOutcome
    route: Route
    uncertainty: Uncertainty | None
    """The gate's figures for the model's own answer; None for what is not gated."""
    draft: str | None
    """The model's own answer where it was unsure of it, whatever went out instead."""
    reworded: str | None
    """The wording in which the model was sure of its answer, where it was not in the caller's own."""
    citations: tuple[Citation, ...]
    gap_id: str | None
    finish_reason: FinishReason
    tool_calls: tuple[ToolCall, ...]
    prompt_tokens: int
    completion_tokens: int
    tokens: tuple[Token, ...]
    """The answer's tokens; none where the words are not the model's."""

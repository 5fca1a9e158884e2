"""A chat turn as the chat graph returns it: finished, or in pieces while it is streamed."""

from agent.chat.routing import Route
from agent.engines.base import FinishReason, Token, ToolCall
from memory.records.base import Record
from memory.records.interactions import ChatOutcome, Intent, Uncertainty
from memory.records.knowledge import Citation


class Piece(Record):
    """Part of an answer that has been released to the caller, as a custom stream event."""

    turn_id: str
    adapter: str | None
    tokens: tuple[Token, ...]


class Turn(Record):
    """A finished chat turn: the answer and how it came about."""

    id: str
    question: str
    answer: str
    intent: Intent
    outcome: ChatOutcome
    route: Route
    uncertainty: Uncertainty | None
    """The gate's measurement of the model's own answer; None if the turn is not gated."""
    draft: str | None
    """The model's own answer if it was unsure, whether or not it was returned."""
    reworded: str | None
    """The rewording that the model was sure about, if it was unsure about the caller's."""
    citations: tuple[Citation, ...]
    gap_id: str | None
    finish_reason: FinishReason
    tool_calls: tuple[ToolCall, ...]
    prompt_tokens: int
    completion_tokens: int
    tokens: tuple[Token, ...]
    """The answer's tokens; empty if the model did not write it."""

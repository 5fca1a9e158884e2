"""Owns the shapes of chat completions in OpenAI's format, whole and in chunks, with our figures alongside.

Decides nothing: each is made from a turn of the chat graph, or from a piece of one.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from agent.engine import Token
from graphs.turn import FinishReason, Piece, Turn
from memory.records import ChatOutcome, Citation, Intent, Uncertainty


class Figures(BaseModel):
    """What the gate saw and did, where the answer comes from, and under which id it is kept."""

    run_id: str
    """Id of this turn, under which the interaction is kept."""
    domain: str
    adapter: str | None
    intent: Intent
    outcome: ChatOutcome
    uncertainty: Uncertainty | None
    """None for conversation, which has no gate."""
    draft: str | None
    """The model's own answer where it was unsure of it, whatever went out instead."""
    reworded: str | None
    """The wording in which the model was sure, where it was not in the caller's own."""
    citations: tuple[Citation, ...]
    gap_id: str | None


class Scored(BaseModel):
    """A token, or what might have stood in its place."""

    token: str
    logprob: float
    bytes: list[int]


class ScoredToken(Scored):
    """A token of the answer with its alternatives."""

    top_logprobs: list[Scored]


class Logprobs(BaseModel):
    """The answer's tokens as the model scored them; none where the words are the service's own."""

    content: list[ScoredToken]
    refusal: None = None


class Answer(BaseModel):
    """The assistant's message."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    """The one choice of a completion."""

    index: Literal[0] = 0
    message: Answer
    finish_reason: FinishReason
    logprobs: Logprobs | None


class Usage(BaseModel):
    """Tokens of the last prompt and its answer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(BaseModel):
    """A chat completion in OpenAI's format, with our figures in `nightschool`."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: tuple[Choice]
    usage: Usage
    nightschool: Figures


class Delta(BaseModel):
    """What a chunk adds to the message."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(BaseModel):
    """The one choice of a chunk."""

    index: Literal[0] = 0
    delta: Delta
    finish_reason: FinishReason | None = None
    logprobs: Logprobs | None = None


class Chunk(BaseModel):
    """One event of a stream; the figures come with the finish reason, and with the usage after it."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: tuple[ChunkChoice, ...]
    usage: Usage | None = None
    nightschool: Figures | None = None


class Envelope(BaseModel):
    """What all replies to one request have in common."""

    base: str
    """Name of the base model."""
    created: int
    scored: bool
    """Log-probabilities were asked for."""
    usage: bool = False
    """A stream tells its usage in a chunk of its own."""

    @classmethod
    def of(cls, *, base: str, now: datetime, scored: bool, usage: bool = False) -> "Envelope":
        """An envelope stamped with `now`."""
        return cls(base=base, created=int(now.timestamp()), scored=scored, usage=usage)

    def completion(self, turn: Turn) -> Completion:
        """A finished turn, whole."""
        message = Answer(content=turn.answer)
        return Completion(
            id=_id(turn.id),
            created=self.created,
            model=turn.route.adapter or self.base,
            choices=(
                Choice(
                    message=message, finish_reason=turn.finish_reason, logprobs=self._logprobs(turn.tokens)
                ),
            ),
            usage=_usage(turn),
            nightschool=_figures(turn),
        )

    def opening(self, part: Piece | Turn) -> Chunk:
        """The chunk that begins the message."""
        return self._chunk(part, Delta(role="assistant", content=""))

    def text(self, part: Piece | Turn) -> Chunk:
        """A stretch of the answer, or a finished turn's whole answer."""
        told = part.answer if isinstance(part, Turn) else "".join(token.text for token in part.tokens)
        return self._chunk(part, Delta(content=told), logprobs=self._logprobs(part.tokens))

    def closing(self, turn: Turn) -> list[Chunk]:
        """The chunks that end a stream: the finish reason, and the usage where it is wanted."""
        last = self._chunk(turn, Delta(), finish_reason=turn.finish_reason).model_copy(
            update={"nightschool": _figures(turn)}
        )
        if not self.usage:
            return [last]
        return [last, last.model_copy(update={"choices": (), "usage": _usage(turn)})]

    def _chunk(
        self,
        part: Piece | Turn,
        delta: Delta,
        *,
        finish_reason: FinishReason | None = None,
        logprobs: Logprobs | None = None,
    ) -> Chunk:
        adapter = part.route.adapter if isinstance(part, Turn) else part.adapter
        return Chunk(
            id=_id(part.id if isinstance(part, Turn) else part.turn_id),
            created=self.created,
            model=adapter or self.base,
            choices=(ChunkChoice(delta=delta, finish_reason=finish_reason, logprobs=logprobs),),
        )

    def _logprobs(self, tokens: Sequence[Token]) -> Logprobs | None:
        if not self.scored:
            return None
        content = [
            ScoredToken(
                token=token.text,
                logprob=token.logprob,
                bytes=list(token.text.encode()),
                top_logprobs=[
                    Scored(token=other.text, logprob=other.logprob, bytes=list(other.text.encode()))
                    for other in token.alternatives
                ],
            )
            for token in tokens
        ]
        return Logprobs(content=content)


def _id(turn_id: str) -> str:
    return f"chatcmpl-{turn_id}"


def _usage(turn: Turn) -> Usage:
    return Usage(
        prompt_tokens=turn.prompt_tokens,
        completion_tokens=turn.completion_tokens,
        total_tokens=turn.prompt_tokens + turn.completion_tokens,
    )


def _figures(turn: Turn) -> Figures:
    return Figures(
        run_id=turn.id,
        domain=turn.route.domain,
        adapter=turn.route.adapter,
        intent=turn.intent,
        outcome=turn.outcome,
        uncertainty=turn.uncertainty,
        draft=turn.draft,
        reworded=turn.reworded,
        citations=turn.citations,
        gap_id=turn.gap_id,
    )

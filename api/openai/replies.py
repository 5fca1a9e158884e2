"""Chat completions in OpenAI's format, whole and in chunks, with our figures alongside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, SerializerFunctionWrapHandler, model_serializer

from agent.engines.base import FinishReason, Token
from graphs.turn import Piece, Turn
from memory.records.interactions import ChatOutcome, Intent, Uncertainty
from memory.records.knowledge import Citation


class Figures(BaseModel):
    """What the gate saw and did, where the answer comes from, and under which id it is kept."""

    run_id: str
    """Id of this turn, under which the interaction is kept."""
    intent: Intent
    """`question` is gated, `conversation` is not."""
    domain: str
    adapter: str | None
    outcome: ChatOutcome
    uncertainty: Uncertainty | None
    """The gate's figures for the model's own answer; null for conversation."""
    draft: str | None
    """The model's own answer where it was unsure of it."""
    reworded: str | None
    """The wording in which the model was sure, where it was not in the caller's."""
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


class CalledFunction(BaseModel):
    """A function with its arguments in JSON."""

    name: str
    arguments: str


class AnsweredCall(BaseModel):
    """A tool call that the model makes."""

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction


class CallDelta(AnsweredCall):
    """A tool call in a chunk: whole, as it is known once the answer is complete."""

    index: int


class WithCalls(BaseModel):
    """A message that leaves `tool_calls` out where it has none, as clients of OpenAI expect."""

    @model_serializer(mode="wrap")
    def _without_none(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = serialize(self)
        if fields.get("tool_calls") is None:
            fields.pop("tool_calls", None)
        return fields


class AssistantMessage(WithCalls):
    """The assistant's message."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: None = None
    tool_calls: list[AnsweredCall] | None = None


class Choice(BaseModel):
    """One of the completion's answers."""

    index: int
    message: AssistantMessage
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
    choices: tuple[Choice, ...]
    usage: Usage
    nightschool: Figures
    """Of the first choice."""


class Delta(WithCalls):
    """What a chunk adds to the message."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    tool_calls: list[CallDelta] | None = None


class ChunkChoice(BaseModel):
    """What a chunk adds to one of the answers."""

    index: int = 0
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

    def completion(self, turns: Sequence[Turn]) -> Completion:
        """Finished turns as the choices of one completion, under the first one's id."""
        first = turns[0]
        return Completion(
            id=completion_id(first.id),
            created=self.created,
            model=first.route.adapter or self.base,
            choices=tuple(
                Choice(
                    index=index,
                    message=_message(turn),
                    finish_reason=turn.finish_reason,
                    logprobs=self._logprobs(turn.tokens),
                )
                for index, turn in enumerate(turns)
            ),
            usage=usage_of(turns),
            nightschool=figures_of(first),
        )

    def opening(self, part: Piece | Turn, index: int = 0) -> Chunk:
        """The chunk that begins the message."""
        return self._chunk(part, Delta(role="assistant", content=""), index)

    def text(self, part: Piece | Turn, index: int = 0) -> Chunk:
        """A stretch of the answer, or a finished turn's whole answer."""
        told = part.answer if isinstance(part, Turn) else "".join(token.text for token in part.tokens)
        return self._chunk(part, Delta(content=told), index, logprobs=self._logprobs(part.tokens))

    def ending(self, turn: Turn, index: int = 0) -> Chunk:
        """The chunk with the finish reason, our figures, and tool calls where the model makes some."""
        calls = [CallDelta(index=place, **call.model_dump()) for place, call in enumerate(_calls(turn) or ())]
        last = self._chunk(turn, Delta(tool_calls=calls or None), index, finish_reason=turn.finish_reason)
        return last.model_copy(update={"nightschool": figures_of(turn)})

    def accounting(self, turns: Sequence[Turn]) -> Chunk:
        """The chunk without choices that tells the usage."""
        last = self.ending(turns[0])
        return last.model_copy(update={"choices": (), "usage": usage_of(turns)})

    def _chunk(
        self,
        part: Piece | Turn,
        delta: Delta,
        index: int,
        *,
        finish_reason: FinishReason | None = None,
        logprobs: Logprobs | None = None,
    ) -> Chunk:
        adapter = part.route.adapter if isinstance(part, Turn) else part.adapter
        return Chunk(
            id=completion_id(part.id if isinstance(part, Turn) else part.turn_id),
            created=self.created,
            model=adapter or self.base,
            choices=(ChunkChoice(index=index, delta=delta, finish_reason=finish_reason, logprobs=logprobs),),
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


def completion_id(turn_id: str) -> str:
    """OpenAI's kind of id for a turn."""
    return f"chatcmpl-{turn_id}"


def usage_of(turns: Sequence[Turn]) -> Usage:
    """The prompt counts once, every answer for itself."""
    prompt, answers = turns[0].prompt_tokens, sum(turn.completion_tokens for turn in turns)
    return Usage(prompt_tokens=prompt, completion_tokens=answers, total_tokens=prompt + answers)


def _message(turn: Turn) -> AssistantMessage:
    calls = _calls(turn)
    return AssistantMessage(content=turn.answer or None if calls else turn.answer, tool_calls=calls)


def _calls(turn: Turn) -> list[AnsweredCall] | None:
    calls = [
        AnsweredCall(id=call.id, function=CalledFunction(name=call.name, arguments=call.arguments))
        for call in turn.tool_calls
    ]
    return calls or None


def figures_of(turn: Turn) -> Figures:
    """What our own object says of a turn."""
    return Figures(
        run_id=turn.id,
        intent=turn.intent,
        draft=turn.draft,
        reworded=turn.reworded,
        domain=turn.route.domain,
        adapter=turn.route.adapter,
        outcome=turn.outcome,
        uncertainty=turn.uncertainty,
        citations=turn.citations,
        gap_id=turn.gap_id,
    )

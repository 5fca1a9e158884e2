"""Chat completions in OpenAI's format, whole and as chunks, with details of the turn in `nightschool`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, SerializerFunctionWrapHandler, model_serializer

from agent.engines.base import FinishReason, Token
from graphs.turn import Piece, Turn
from memory.records.base import Interval
from memory.records.interactions import ChatOutcome, Intent, Uncertainty
from memory.records.knowledge import Citation

REPLY_PREFIXES = ("chatcmpl-", "resp_", "msg_", "fc_")
"""What stands before a turn's id in the replies of our OpenAI routes."""


class TurnDetails(BaseModel):
    """Details of a turn: the gate's measurement, the outcome, and the origin of the answer."""

    run_id: str
    """Id of the turn and of its stored interaction."""
    intent: Intent
    """Only a `question` is gated."""
    domain: str
    adapter: str | None
    outcome: ChatOutcome
    uncertainty: Uncertainty | None
    """The gate's measurement of the model's own answer; null for conversation."""
    draft: str | None
    """The model's own answer, if it was unsure."""
    reworded: str | None
    """The rewording that the model was sure about, if it was unsure about the caller's."""
    citations: tuple[Citation, ...]
    gap_id: str | None
    ignored: tuple[str, ...] = ()
    """What of the request the model cannot use, and why."""


class TokenLogprob(BaseModel):
    """A token or an alternative to it, with its log-probability."""

    token: str
    logprob: float
    bytes: list[int]


class AnswerTokenLogprob(TokenLogprob):
    """A token of the answer with its alternatives."""

    top_logprobs: list[TokenLogprob]
    entropy: Interval
    """Entropy in nats of the whole next-token distribution, which alternatives alone would underestimate;
    OpenAI's format has no such field."""


class Logprobs(BaseModel):
    """The answer's tokens with log-probabilities; empty if the model did not write the answer."""

    content: list[AnswerTokenLogprob]
    refusal: None = None


class ReplyFunction(BaseModel):
    """The function of a tool call; its arguments are JSON text."""

    name: str
    arguments: str


class ReplyToolCall(BaseModel):
    """A tool call that the model makes."""

    id: str
    type: Literal["function"] = "function"
    function: ReplyFunction


class ToolCallDelta(ReplyToolCall):
    """A tool call in a chunk; always whole, because it is known only after the answer."""

    index: int


class OptionalToolCalls(BaseModel):
    """A base class that leaves out `tool_calls` if it is null, as OpenAI's clients expect."""

    @model_serializer(mode="wrap")
    def _without_none(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = serialize(self)
        if fields.get("tool_calls") is None:
            fields.pop("tool_calls", None)
        return fields


class AssistantMessage(OptionalToolCalls):
    """The assistant's message."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: None = None
    tool_calls: list[ReplyToolCall] | None = None


class Choice(BaseModel):
    """One answer of a completion."""

    id: str
    """Takes feedback on this answer; the first one's is the completion's."""
    index: int
    message: AssistantMessage
    finish_reason: FinishReason
    logprobs: Logprobs | None


class Usage(BaseModel):
    """Numbers of tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(BaseModel):
    """A chat completion in OpenAI's format."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: tuple[Choice, ...]
    usage: Usage
    nightschool: TurnDetails
    """Details of the first choice's turn."""


class Delta(OptionalToolCalls):
    """The addition of a chunk to a message."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    tool_calls: list[ToolCallDelta] | None = None


class ChunkChoice(BaseModel):
    """The addition of a chunk to one choice."""

    index: int = 0
    delta: Delta
    finish_reason: FinishReason | None = None
    logprobs: Logprobs | None = None


class Chunk(BaseModel):
    """One event of a stream. The last chunk of a choice and the usage chunk have the details of the turn."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: tuple[ChunkChoice, ...]
    usage: Usage | None = None
    nightschool: TurnDetails | None = None


class ReplyBuilder(BaseModel):
    """Builds the replies to one request."""

    base: str
    """Name of the base model."""
    created: int
    logprobs: bool
    """Whether replies have log-probabilities."""
    include_usage: bool = False
    """Whether a stream ends with a chunk for the usage."""
    ignored: tuple[str, ...] = ()
    """What of the request the model cannot use, and why."""

    @classmethod
    def of(
        cls,
        *,
        base: str,
        now: datetime,
        logprobs: bool,
        include_usage: bool = False,
        ignored: tuple[str, ...] = (),
    ) -> "ReplyBuilder":
        """A builder for replies created at `now`."""
        return cls(
            base=base,
            created=int(now.timestamp()),
            logprobs=logprobs,
            include_usage=include_usage,
            ignored=ignored,
        )

    def completion(self, turns: Sequence[Turn]) -> Completion:
        """The completion whose choices are these turns; it has the first one's id."""
        first = turns[0]
        return Completion(
            id=completion_id(first.id),
            created=self.created,
            model=first.route.adapter or self.base,
            choices=tuple(
                Choice(
                    id=completion_id(turn.id),
                    index=index,
                    message=_message(turn),
                    finish_reason=turn.finish_reason,
                    logprobs=self._logprobs(turn.tokens),
                )
                for index, turn in enumerate(turns)
            ),
            usage=usage_of(turns),
            nightschool=turn_details(first, self.ignored),
        )

    def first_chunk(self, part: Piece | Turn, index: int = 0) -> Chunk:
        """The chunk that starts a choice's message."""
        return self._chunk(part, Delta(role="assistant", content=""), index)

    def text_chunk(self, part: Piece | Turn, index: int = 0) -> Chunk:
        """The chunk with a piece of the answer, or with a turn's whole answer."""
        text = part.answer if isinstance(part, Turn) else "".join(token.text for token in part.tokens)
        return self._chunk(part, Delta(content=text), index, logprobs=self._logprobs(part.tokens))

    def last_chunk(self, turn: Turn, index: int = 0) -> Chunk:
        """The chunk that ends a choice: finish reason, tool calls if any, and the details of the turn."""
        calls = [
            ToolCallDelta(index=position, **call.model_dump())
            for position, call in enumerate(_tool_calls(turn) or ())
        ]
        last = self._chunk(turn, Delta(tool_calls=calls or None), index, finish_reason=turn.finish_reason)
        return last.model_copy(update={"nightschool": turn_details(turn, self.ignored)})

    def usage_chunk(self, turns: Sequence[Turn]) -> Chunk:
        """The chunk with the usage, which has no choices."""
        last = self.last_chunk(turns[0])
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
        if not self.logprobs:
            return None
        content = [
            AnswerTokenLogprob(
                token=token.text,
                logprob=token.logprob,
                bytes=list(token.text.encode()),
                top_logprobs=[
                    TokenLogprob(token=other.text, logprob=other.logprob, bytes=list(other.text.encode()))
                    for other in token.alternatives
                ],
                entropy=token.entropy,
            )
            for token in tokens
        ]
        return Logprobs(content=content)


def completion_id(turn_id: str) -> str:
    """The id of a turn's completion, in OpenAI's format."""
    return f"chatcmpl-{turn_id}"


def turn_id_of(id: str) -> str:
    """The turn's id, from any id that a client sees: of a completion, response, message or tool call."""
    if id.startswith("fc_"):  # calls are numbered
        id = id.rpartition("_")[0]
    prefix = next((prefix for prefix in REPLY_PREFIXES if id.startswith(prefix)), "")
    return id.removeprefix(prefix)


def usage_of(turns: Sequence[Turn]) -> Usage:
    """The usage of a completion: the prompt counts once, each choice's answer separately."""
    prompt, answers = turns[0].prompt_tokens, sum(turn.completion_tokens for turn in turns)
    return Usage(prompt_tokens=prompt, completion_tokens=answers, total_tokens=prompt + answers)


def _message(turn: Turn) -> AssistantMessage:
    calls = _tool_calls(turn)
    return AssistantMessage(content=turn.answer or None if calls else turn.answer, tool_calls=calls)


def _tool_calls(turn: Turn) -> list[ReplyToolCall] | None:
    calls = [
        ReplyToolCall(id=call.id, function=ReplyFunction(name=call.name, arguments=call.arguments))
        for call in turn.tool_calls
    ]
    return calls or None


def turn_details(turn: Turn, ignored: tuple[str, ...] = ()) -> TurnDetails:
    """The details of a turn; `ignored` is what of the request the model could not use."""
    return TurnDetails(
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
        ignored=ignored,
    )

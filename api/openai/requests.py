"""Owns what a client may ask in OpenAI's format, and how that reads as a turn of ours.

Fields that we do not know are ignored, as OpenAI does; one that we know and cannot honour is refused.
"""

import secrets
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from agent.engine import Sampling
from agent.routing import AUTO
from memory.records import UnsurePolicy

MOST_MESSAGES = 200
MOST_TOKENS = 4096
MOST_STOPS = 4
MOST_ALTERNATIVES = 20
UNIT_CHARACTERS = 512

Stop = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Unit = Annotated[str, StringConstraints(min_length=1, max_length=UNIT_CHARACTERS)]


class TextPart(BaseModel):
    """One part of a message's content; text is the only kind that we read."""

    type: Literal["text"]
    text: str


class Called(BaseModel):
    """The function of a tool call, with its arguments as JSON text."""

    name: str = Field(max_length=200)
    arguments: str = ""


class ToolCall(BaseModel):
    """A tool call that the assistant made earlier in the conversation."""

    id: str = Field("", max_length=200)
    type: Literal["function"] = "function"
    function: Called


class Message(BaseModel):
    """One message of the conversation; an assistant's that called tools needs no content."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    tool_calls: list[ToolCall] | None = Field(None, max_length=100)
    tool_call_id: str | None = Field(None, max_length=200)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.content is None and not (self.role == "assistant" and self.tool_calls):
            raise ValueError("content is missing: only an assistant's message with tool_calls needs none")
        return self

    @property
    def text(self) -> str:
        """The whole message as one text, its tool calls in words."""
        parts = self.content or ""
        said = parts if isinstance(parts, str) else "\n".join(part.text for part in parts)
        calls = [
            f"[called {call.function.name}({call.function.arguments})]" for call in self.tool_calls or ()
        ]
        return "\n".join([said, *calls] if said else calls)


class StreamOptions(BaseModel):
    """What a stream tells besides the answer."""

    include_usage: bool = False


class ResponseFormat(BaseModel):
    """The form that the answer has to have."""

    type: str = Field(max_length=100)


class OwnFields(BaseModel):
    """What our own extension of the format holds."""

    model_config = ConfigDict(extra="forbid")

    unsure: UnsurePolicy | None = None
    """What to do where the model is unsure and no source helps."""


class ChatRequest(BaseModel):
    """A chat completion request."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(AUTO, max_length=200)
    messages: Annotated[list[Message], Field(min_length=1, max_length=MOST_MESSAGES)]
    max_tokens: int | None = Field(None, ge=1, le=MOST_TOKENS)
    max_completion_tokens: int | None = Field(None, ge=1, le=MOST_TOKENS)
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(None, gt=0, le=1, allow_inf_nan=False)
    seed: int | None = Field(None, ge=-(2**63), le=2**63 - 1)
    stop: Stop | Annotated[list[Stop], Field(max_length=MOST_STOPS)] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=MOST_ALTERNATIVES)
    n: int | None = 1
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: ResponseFormat | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    user: Unit | None = None
    metadata: dict[str, Any] | None = None
    nightschool: OwnFields | None = None

    @field_validator("n")
    @classmethod
    def _one(cls, n: int | None) -> int | None:
        if n not in (1, None):
            raise ValueError("only n=1 is supported")
        return n

    @field_validator("tool_choice")
    @classmethod
    def _free(cls, choice: str | dict[str, Any] | None) -> str | dict[str, Any] | None:
        if choice not in ("auto", "none", None):
            raise ValueError("no model here can be made to call a tool: use auto or none")
        return choice

    @field_validator("response_format")
    @classmethod
    def _plain(cls, wanted: ResponseFormat | None) -> ResponseFormat | None:
        if wanted is not None and wanted.type != "text":
            raise ValueError("answers have the format text only")
        return wanted

    @field_validator("presence_penalty", "frequency_penalty", "logit_bias")
    @classmethod
    def _unbiased(cls, value: float | dict[str, float] | None) -> float | dict[str, float] | None:
        if value:
            raise ValueError("penalties and biases are not supported: leave it out")
        return value

    @field_validator("metadata")
    @classmethod
    def _conversation(cls, metadata: dict[str, Any] | None) -> dict[str, Any] | None:
        named = (metadata or {}).get("conversation_id", "")
        if not isinstance(named, str) or len(named) > UNIT_CHARACTERS:
            raise ValueError(f"conversation_id must be a text of at most {UNIT_CHARACTERS} characters")
        return metadata

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.top_logprobs and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs=true")
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options needs stream=true")
        return self

    @property
    def conversation(self) -> Sequence[tuple[str, str]]:
        """The messages as (role, text) pairs; a tool's result is named after the call that it answers."""
        names = {
            call.id: call.function.name for message in self.messages for call in message.tool_calls or ()
        }
        pairs: list[tuple[str, str]] = []
        for message in self.messages:
            name = names.get(message.tool_call_id or "") if message.role == "tool" else None
            role = "system" if message.role == "developer" else message.role
            pairs.append((role, f"{name}: {message.text}" if name else message.text))
        return pairs

    @property
    def sampling(self) -> Sampling:
        """How to decode: greedy, unless a temperature is given; without a seed, every draw is another."""
        temperature = self.temperature or 0.0
        drawn = secrets.randbits(32) if temperature else 0
        return Sampling(
            max_tokens=self.max_completion_tokens or self.max_tokens,
            temperature=temperature,
            top_p=1.0 if self.top_p is None else self.top_p,
            seed=drawn if self.seed is None else self.seed,
            stop=(self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ()),
            top_logprobs=self.top_logprobs or 0,
        )

    def unit(self, conversation: str | None) -> str | None:
        """Whom the turn belongs to: the user, else the conversation, which a header may name too."""
        return self.user or (self.metadata or {}).get("conversation_id") or conversation

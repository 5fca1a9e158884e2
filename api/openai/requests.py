"""What a client may ask in OpenAI's format, and how that reads as a turn of ours.

Unknown fields are ignored, as OpenAI does; a known one that cannot be honoured is refused.
"""

import secrets
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from agent.chat.routing import AUTO
from agent.engines.base import Sampling
from api.openai.messages import Message
from memory.records.interactions import UnsurePolicy

MOST_MESSAGES = 1000
MOST_STOPS = 4
MOST_ALTERNATIVES = 20
MOST_CHOICES = 8
MOST_BIASES = 1024
UNLIMITED = -1
"""As a client's `max_tokens`: until the model ends its answer."""
UNIT_CHARACTERS = 512

Stop = Annotated[str, StringConstraints(max_length=200)]
Unit = Annotated[str, StringConstraints(max_length=UNIT_CHARACTERS)]
TokenId = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}$")]
Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]


class StreamOptions(BaseModel):
    """What a stream tells besides the answer."""

    include_usage: bool = False


class JsonSchema(BaseModel):
    """A schema that the answer has to fit."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    name: str = Field("answer", max_length=200)
    schema_: dict[str, Any] = Field(alias="schema")


class ResponseFormat(BaseModel):
    """The form that the answer has to have."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _has_its_schema(self) -> Self:
        if self.type == "json_schema" and self.json_schema is None:
            raise ValueError("the format json_schema needs a json_schema")
        return self


class Function(BaseModel):
    """A function that the model may call."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(min_length=1, max_length=200)


class Tool(BaseModel):
    """A tool that the model may call; functions are the only kind."""

    type: Literal["function"]
    function: Function


class OurFields(BaseModel):
    """What only this service knows."""

    model_config = ConfigDict(extra="forbid")

    unsure: UnsurePolicy | None = None
    """What to do where the model is unsure and no source helps."""


class SamplingFields(BaseModel):
    """The fields that chat and text completions share."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(AUTO, max_length=200)
    max_tokens: int | None = Field(None, ge=UNLIMITED)
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    seed: int | None = Field(None, ge=-(2**63), le=2**63 - 1)
    stop: Stop | Annotated[list[Stop], Field(max_length=MOST_STOPS)] | None = None
    n: int | None = Field(None, ge=1, le=MOST_CHOICES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[TokenId, Annotated[float, Field(ge=-100, le=100)]] | None = Field(
        None, max_length=MOST_BIASES
    )
    user: Unit | None = None

    @field_validator("max_tokens")
    @classmethod
    def _some(cls, limit: int | None) -> int | None:
        if limit == 0:
            raise ValueError("the limit must be at least 1, or -1 for none")
        return limit

    @model_validator(mode="after")
    def _streamed_options(self) -> Self:
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options needs stream=true")
        return self

    def sampling_of(self, limit: int | None, alternatives: int) -> Sampling:
        """How to decode: greedy, unless a temperature is given; without a seed, every draw is another."""
        temperature = self.temperature or 0.0
        greedy = not temperature or self.top_p == 0
        seed = self.seed if self.seed is not None else 0 if greedy else secrets.randbits(32)
        stops = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        return Sampling(
            max_tokens=None if limit == UNLIMITED else limit,
            temperature=0.0 if greedy else temperature,
            top_p=self.top_p or 1.0,
            seed=seed,
            stop=tuple(stop for stop in stops if stop),
            top_logprobs=alternatives,
            presence_penalty=self.presence_penalty or 0.0,
            frequency_penalty=self.frequency_penalty or 0.0,
            logit_bias=self.logit_bias or {},
        )


class ChatRequest(SamplingFields):
    """A chat completion request."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=MOST_MESSAGES)]
    max_completion_tokens: int | None = Field(None, ge=UNLIMITED)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=MOST_ALTERNATIVES)
    tools: list[Tool] | None = Field(None, max_length=128)
    tool_choice: str | dict[str, Any] | None = None
    response_format: ResponseFormat | None = None
    metadata: dict[str, Any] | None = None
    nightschool: OurFields | None = None

    @field_validator("max_completion_tokens")
    @classmethod
    def _some_answer(cls, limit: int | None) -> int | None:
        return cls._some(limit)

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
        if self.tool_choice not in (None, "none", "auto") and not self.tools:
            raise ValueError("tool_choice needs tools")
        if isinstance(self.tool_choice, str) and self.tool_choice not in ("none", "auto", "required"):
            raise ValueError("tool_choice must be none, auto, required or the name of a function")
        if isinstance(self.tool_choice, dict):
            function = self.tool_choice.get("function")
            named = function.get("name") if isinstance(function, dict) else None
            if named not in [tool.function.name for tool in self.tools or ()]:
                raise ValueError(f"tool_choice names {named!r}, which is none of the tools")
        return self

    @property
    def sampling(self) -> Sampling:
        """How to decode the answer."""
        limit = self.max_completion_tokens or self.max_tokens
        wanted = self.response_format
        tools = self.tools if self.tools and self.tool_choice != "none" else ()
        return self.sampling_of(limit, self.top_logprobs or 0).model_copy(
            update={
                "response_format": wanted.model_dump(by_alias=True, exclude_none=True)
                if wanted is not None and wanted.type != "text"
                else None,
                "tools": tuple(tool.model_dump() for tool in tools),
                "tool_choice": self.tool_choice if tools else None,
            }
        )

    def unit(self, conversation: str | None) -> str | None:
        """Whom the turn belongs to: the user, else the conversation, which a header may name too."""
        return self.user or (self.metadata or {}).get("conversation_id") or conversation or None

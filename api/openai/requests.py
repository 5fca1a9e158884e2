"""Chat requests in OpenAI's format, and the sampling that they ask for.

Unknown fields are ignored, as OpenAI does; known fields that are not supported are rejected.
"""

import secrets
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from agent.chat.routing import AUTO
from agent.engines.answer_schema import require_affordable
from agent.engines.base import Sampling
from agent.models.card import ChatTemplate
from api.openai.messages import Message
from memory.records.interactions import UnsurePolicy

MAX_MESSAGES = 1000
MAX_STOPS = 4
MAX_ALTERNATIVES = 20
MAX_CHOICES = 8
MAX_BIASES = 1024
UNLIMITED = -1
"""A client's `max_tokens` for no limit."""
UNIT_CHARACTERS = 512
"""Most characters of the id of a user or conversation."""

Stop = Annotated[str, StringConstraints(max_length=200)]
Unit = Annotated[str, StringConstraints(max_length=UNIT_CHARACTERS)]
TokenId = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}$")]
Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]


class StreamOptions(BaseModel):
    """Options of streams."""

    include_usage: bool = False


class JsonSchema(BaseModel):
    """A JSON schema for the answer."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    name: str = Field("answer", max_length=200)
    schema_: dict[str, Any] = Field(alias="schema")


class ResponseFormat(BaseModel):
    """The format of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _has_its_schema(self) -> Self:
        if self.type == "json_schema" and self.json_schema is None:
            raise ValueError("type json_schema needs the field json_schema")
        return self


class Function(BaseModel):
    """A function that the model may call."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(min_length=1, max_length=200)


class Tool(BaseModel):
    """A tool that the model may call; only functions are supported."""

    type: Literal["function"]
    function: Function


class NightschoolOptions(BaseModel):
    """Options that only this service has."""

    model_config = ConfigDict(extra="forbid")

    unsure: UnsurePolicy | None = None
    """What to do if the model is unsure and no source helps."""


class SamplingFields(BaseModel):
    """Fields that chat and text completions share."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(AUTO, max_length=200)
    max_tokens: int | None = Field(None, ge=UNLIMITED)
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    seed: int | None = Field(None, ge=-(2**63), le=2**63 - 1)
    stop: Stop | Annotated[list[Stop], Field(max_length=MAX_STOPS)] | None = None
    n: int | None = Field(None, ge=1, le=MAX_CHOICES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[TokenId, Annotated[float, Field(ge=-100, le=100)]] | None = Field(
        None, max_length=MAX_BIASES
    )
    user: Unit | None = None

    @field_validator("max_tokens")
    @classmethod
    def _not_zero(cls, limit: int | None) -> int | None:
        if limit == 0:
            raise ValueError("must be at least 1, or -1 for no limit")
        return limit

    @model_validator(mode="after")
    def _only_for_streams(self) -> Self:
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options needs stream=true")
        return self

    def sampling_of(self, limit: int | None, alternatives: int) -> Sampling:
        """The sampling: greedy without a temperature; random without a seed."""
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

    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)]
    max_completion_tokens: int | None = Field(None, ge=UNLIMITED)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=MAX_ALTERNATIVES)
    tools: list[Tool] | None = Field(None, max_length=128)
    tool_choice: str | dict[str, Any] | None = None
    response_format: ResponseFormat | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    """False: the turn is not logged and opens no gap, so that it takes no feedback either."""
    nightschool: NightschoolOptions | None = None

    @field_validator("max_completion_tokens")
    @classmethod
    def _completion_not_zero(cls, limit: int | None) -> int | None:
        return cls._not_zero(limit)

    @field_validator("metadata")
    @classmethod
    def _valid_conversation(cls, metadata: dict[str, Any] | None) -> dict[str, Any] | None:
        conversation = (metadata or {}).get("conversation_id", "")
        if not isinstance(conversation, str) or len(conversation) > UNIT_CHARACTERS:
            raise ValueError(f"conversation_id must be a text of at most {UNIT_CHARACTERS} characters")
        return metadata

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        formats = [self.response_format] if self.response_format is not None else []
        require_affordable(*(each.model_dump(by_alias=True) for each in (*formats, *(self.tools or ()))))
        if self.top_logprobs and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs=true")
        if self.tool_choice not in (None, "none", "auto") and not self.tools:
            raise ValueError("tool_choice needs tools")
        if isinstance(self.tool_choice, str) and self.tool_choice not in ("none", "auto", "required"):
            raise ValueError("tool_choice must be none, auto, required or the name of a function")
        if isinstance(self.tool_choice, dict):
            function = self.tool_choice.get("function")
            name = function.get("name") if isinstance(function, dict) else None
            if name not in [tool.function.name for tool in self.tools or ()]:
                raise ValueError(f"tool_choice: {name!r} is not one of the tools")
        return self

    @property
    def sampling(self) -> Sampling:
        """The sampling of the answer."""
        limit = self.max_completion_tokens or self.max_tokens
        response_format = self.response_format
        tools = self.tools if self.tools and self.tool_choice != "none" else ()
        return self.sampling_of(limit, self.top_logprobs or 0).model_copy(
            update={
                "response_format": response_format.model_dump(by_alias=True, exclude_none=True)
                if response_format is not None and response_format.type != "text"
                else None,
                "tools": tuple(tool.model_dump() for tool in tools),
                "tool_choice": self.tool_choice if tools else None,
            }
        )

    def unit(self, conversation: str | None) -> str | None:
        """The user or conversation of the turn; `conversation` is that of the request's header."""
        return self.user or (self.metadata or {}).get("conversation_id") or conversation or None


def usable(sampling: Sampling, template: ChatTemplate) -> tuple[Sampling, tuple[str, ...]]:
    """The sampling without what the model cannot do anyway, and what that was, for the reply.

    Clients such as Open WebUI offer tools with every message. A model whose template takes none never chooses
    one, so that it answers as if there were none; a call that is required is left to the engine.
    """
    if not sampling.tools or template.tool_parser is not None or sampling.tool_choice not in (None, "auto"):
        return sampling, ()
    left = sampling.model_copy(update={"tools": (), "tool_choice": None})
    return left, ("tools: the model's chat template takes none",)

"""Owns the OpenAI surface: chat completions (whole) and the list of models, with our figures alongside.

Decides nothing about an answer; the chat graph does. Decoding is greedy: sampling fields are ignored.
"""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, field_validator

from agent.routing import AUTO
from api.compose import Given
from api.errors import refusals
from graphs.chat import Turn, chat
from memory.records import Citation, Uncertainty

router = APIRouter(tags=["chat"])

MOST_MESSAGES = 200
DEFAULT_TOKENS = 64


class TextPart(BaseModel):
    """One part of a message's content; text is the only kind that we read."""

    type: Literal["text"]
    text: str


class Message(BaseModel):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    @property
    def text(self) -> str:
        """The whole content as one text."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content)


class ChatRequest(BaseModel):
    """A chat completion request; fields that we do not know are ignored, as OpenAI does."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(AUTO, max_length=200)
    messages: Annotated[list[Message], Field(min_length=1, max_length=MOST_MESSAGES)]
    max_tokens: int | None = Field(None, ge=1, le=4096)
    max_completion_tokens: int | None = Field(None, ge=1, le=4096)
    n: int = 1
    stream: bool = False

    @field_validator("stream")
    @classmethod
    def _whole(cls, stream: bool) -> bool:
        if stream:
            raise ValueError("streaming is not supported yet: send stream=false")
        return stream

    @field_validator("n")
    @classmethod
    def _one(cls, n: int) -> int:
        if n != 1:
            raise ValueError("only n=1 is supported")
        return n


class Figures(BaseModel):
    """What the gate saw and did, where the answer comes from, and under which id it is kept."""

    run_id: str
    """Id of this turn, under which the interaction is kept."""
    domain: str
    adapter: str | None
    outcome: Literal["answered", "answered_from_sources", "abstained"]
    uncertainty: Uncertainty
    citations: tuple[Citation, ...]
    gap_id: str | None


class Answer(BaseModel):
    """The assistant's message."""

    role: Literal["assistant"] = "assistant"
    content: str


class Choice(BaseModel):
    """The one choice of a completion."""

    index: Literal[0] = 0
    message: Answer
    finish_reason: Literal["stop", "length"]
    logprobs: None = None


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


class Model(BaseModel):
    """A name that a chat may ask for."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: Literal["nightschool"] = "nightschool"


class Models(BaseModel):
    """All names that a chat may ask for."""

    object: Literal["list"] = "list"
    data: list[Model]


@router.post("/v1/chat/completions", responses=refusals(400, 404, 409, 413, 422, 503))
async def complete(request: ChatRequest, given: Given) -> Completion:
    """Answers the conversation's last question: directly, from sources with citations, or not at all."""
    turn = await chat(
        given.chat,
        given.runtime,
        [("system" if m.role == "developer" else m.role, m.text) for m in request.messages],
        requested=request.model,
        max_tokens=request.max_completion_tokens or request.max_tokens or DEFAULT_TOKENS,
    )
    return completion(turn, base=given.runtime.base_name, now=given.runtime.clock())


@router.get("/v1/models")
async def models(given: Given) -> Models:
    """`auto`, the base model, and one name per domain that has a live adapter."""
    names = [AUTO, given.runtime.base_name, *given.runtime.routes.live]
    return Models(data=[Model(id=name) for name in names])


def completion(turn: Turn, *, base: str, now: datetime) -> Completion:
    """A finished turn in OpenAI's format."""
    return Completion(
        id=f"chatcmpl-{turn.id}",
        created=int(now.timestamp()),
        model=turn.route.adapter or base,
        choices=(Choice(message=Answer(content=turn.answer), finish_reason=turn.finish_reason),),
        usage=Usage(
            prompt_tokens=turn.prompt_tokens,
            completion_tokens=turn.completion_tokens,
            total_tokens=turn.prompt_tokens + turn.completion_tokens,
        ),
        nightschool=Figures(
            run_id=turn.id,
            domain=turn.route.domain,
            adapter=turn.route.adapter,
            outcome=turn.outcome,
            uncertainty=turn.uncertainty,
            citations=turn.citations,
            gap_id=turn.gap_id,
        ),
    )

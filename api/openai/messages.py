"""A conversation in OpenAI's format, and the messages that the chat graph takes."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

OMITTED = "[attachment left out: text only]"

Text = Annotated[str, StringConstraints(max_length=10_000_000)]


class Part(BaseModel):
    """One part of a message's content. Only text is read; `image_url`, `input_audio` and `file` are known."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["text", "refusal", "image_url", "input_audio", "file"]
    text: Text | None = None
    refusal: Text | None = None

    @model_validator(mode="after")
    def _has_its_text(self) -> Self:
        if self.type == "text" and self.text is None:
            raise ValueError("a part of type text needs a text")
        return self

    @property
    def readable(self) -> bool:
        """Whether the model can read it."""
        return self.type in ("text", "refusal")


class Called(BaseModel):
    """The function of a tool call, with its arguments as JSON text."""

    name: str = Field(max_length=200)
    arguments: str = ""


class RequestedCall(BaseModel):
    """A tool call that the assistant made earlier in the conversation."""

    id: str = Field("", max_length=200)
    type: Literal["function"] = "function"
    function: Called


class Message(BaseModel):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | list[Part] | None = None
    name: str | None = Field(None, max_length=200)
    tool_calls: list[RequestedCall] | None = Field(None, max_length=100)
    tool_call_id: str | None = Field(None, max_length=200)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.content is None and self.role != "assistant":
            raise ValueError(f"content is missing: a message of role {self.role} needs one")
        return self

    @property
    def parts(self) -> list[Part]:
        """The content in parts."""
        if isinstance(self.content, list):
            return self.content
        return [Part(type="text", text=self.content or "")]

    @property
    def text(self) -> str:
        """The content as one text, with a note in the place of what is no text."""
        texts = [part.text or part.refusal or "" if part.readable else OMITTED for part in self.parts]
        return "\n".join(texts)


def conversation(messages: Sequence[Message]) -> list[BaseMessage]:
    """The messages for the chat graph.

    Attachments of earlier messages are left out with a note, so that a conversation can go on after one.
    Raises ValueError where the last user message holds one: no model here could answer it.
    """
    last = next((m for m in reversed(messages) if m.role == "user"), None)
    if last is not None and (unread := [part.type for part in last.parts if not part.readable]):
        raise ValueError(f"messages: the model reads text only, not {unread[0]}: leave it out")
    names = {call.id: call.function.name for message in messages for call in message.tool_calls or ()}
    return [_message(message, names) for message in messages]


def _message(message: Message, names: Mapping[str, str]) -> BaseMessage:
    if message.role in ("system", "developer"):
        return SystemMessage(message.text)
    if message.role == "user":
        return HumanMessage(message.text)
    if message.role == "assistant":
        calls = [
            {"id": call.id, "name": call.function.name, "args": _arguments(call.function.arguments)}
            for call in message.tool_calls or ()
        ]
        return AIMessage(message.text, tool_calls=calls)
    call = message.tool_call_id or ""
    return ToolMessage(message.text, tool_call_id=call, name=message.name or names.get(call))


def _arguments(text: str) -> dict[str, Any]:
    """A call's arguments; what a model wrote need not be JSON, and is then kept as text."""
    try:
        values = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {"arguments": text}
    return values if isinstance(values, dict) else {"arguments": values}

"""Chat messages in OpenAI's format, and their conversion to messages of the chat graph."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

OMITTED = "[attachment left out: text only]"

Text = Annotated[str, StringConstraints(max_length=10_000_000)]


class Part(BaseModel):
    """One part of a message's content. The model reads only text."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["text", "refusal", "image_url", "input_audio", "file"]
    text: Text | None = None
    refusal: Text | None = None

    @model_validator(mode="after")
    def _has_its_text(self) -> Self:
        if self.type == "text" and self.text is None:
            raise ValueError("a part of type text needs the field text")
        return self

    @property
    def readable(self) -> bool:
        """Whether the model can read the part."""
        return self.type in ("text", "refusal")


class MessageFunction(BaseModel):
    """The function of an earlier tool call; its arguments are JSON text."""

    name: str = Field(max_length=200)
    arguments: str = ""


class MessageToolCall(BaseModel):
    """A tool call that the assistant made earlier in the conversation."""

    id: str = Field("", max_length=200)
    type: Literal["function"] = "function"
    function: MessageFunction


class Message(BaseModel):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | list[Part] | None = None
    name: str | None = Field(None, max_length=200)
    tool_calls: list[MessageToolCall] | None = Field(None, max_length=100)
    tool_call_id: str | None = Field(None, max_length=200)

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        if self.content is None and self.role != "assistant":
            raise ValueError(f"content is missing: messages of role {self.role} need it")
        return self

    @property
    def parts(self) -> list[Part]:
        """The content as parts."""
        if isinstance(self.content, list):
            return self.content
        return [Part(type="text", text=self.content or "")]

    @property
    def text(self) -> str:
        """The content as one text; attachments are replaced by a note."""
        texts = [part.text or part.refusal or "" if part.readable else OMITTED for part in self.parts]
        return "\n".join(texts)


def to_graph_messages(messages: Sequence[Message]) -> list[BaseMessage]:
    """The messages for the chat graph.

    Attachments in earlier messages are replaced by a note. Raises ValueError for one in the last user
    message, because the model could not answer it.
    """
    last = next((m for m in reversed(messages) if m.role == "user"), None)
    if last is not None and (unreadable := [part.type for part in last.parts if not part.readable]):
        raise ValueError(f"messages: the model reads text only, not {unreadable[0]}: leave it out")
    names = {call.id: call.function.name for message in messages for call in message.tool_calls or ()}
    return [_message(message, names) for message in messages]


def _message(message: Message, names: Mapping[str, str]) -> BaseMessage:
    if message.role in ("system", "developer"):
        return SystemMessage(message.text)
    if message.role == "user":
        return HumanMessage(message.text, name=message.name)
    if message.role == "assistant":
        calls = [
            {"id": call.id, "name": call.function.name, "args": _arguments(call.function.arguments)}
            for call in message.tool_calls or ()
        ]
        return AIMessage(message.text, tool_calls=calls)
    call = message.tool_call_id or ""
    return ToolMessage(message.text, tool_call_id=call, name=message.name or names.get(call))


def _arguments(text: str) -> dict[str, Any]:
    """A call's arguments. If they are not a JSON object, they are wrapped in one."""
    try:
        values = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {"arguments": text}
    return values if isinstance(values, dict) else {"arguments": values}

"""The part of a conversation that the interaction log keeps."""

from collections.abc import Sequence
from typing import Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from agent.chat.conversation import question_index
from memory.records.interactions import LoggedMessage

MAX_MESSAGES = 8
MAX_CHARACTERS = 16_000
"""Characters of all messages together: as many as fit into the prompt of a small model."""


def logged_messages(messages: Sequence[BaseMessage]) -> tuple[LoggedMessage, ...]:
    """The last messages up to the user's last one, at most MAX_MESSAGES; not scrubbed yet.

    Earlier messages that do not fit into MAX_CHARACTERS are left out whole. Only the end of a last message
    that is longer is kept. Tool results are left out. Raises ValueError if there is no user message.
    """
    kept: list[LoggedMessage] = []
    room = MAX_CHARACTERS
    for message in reversed(messages[: question_index(messages) + 1]):
        role = _role(message)
        text = message.text if kept else message.text[-room:]
        if role is None or not text.strip():
            continue
        room -= len(text)
        if room < 0 or len(kept) == MAX_MESSAGES:
            break
        kept.append(LoggedMessage(role=role, content=text, name=message.name))
    return tuple(reversed(kept))


def _role(message: BaseMessage) -> Literal["system", "user", "assistant"] | None:
    if isinstance(message, HumanMessage):
        return "user"
    if isinstance(message, AIMessage):
        return "assistant"
    return "system" if isinstance(message, SystemMessage) else None

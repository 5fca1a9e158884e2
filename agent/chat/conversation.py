"""Conversations: building messages, finding the question, and merging turns for a model's chat template."""

import json
from collections.abc import Callable, Sequence
from typing import Protocol

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agent.errors import PromptTooLong
from agent.models.card import ChatTemplate

CHARS_PER_TOKEN = 16
"""More than text in any language has, so that only conversations that cannot fit are refused."""


def messages_from_pairs(pairs: Sequence[tuple[str, str]]) -> list[BaseMessage]:
    """Messages from (role, text) pairs. Raises ValueError for an unknown role."""
    message_types: dict[str, Callable[[str], BaseMessage]] = {
        "system": SystemMessage,
        "user": HumanMessage,
        "assistant": AIMessage,
        "tool": lambda text: ToolMessage(text, tool_call_id=""),
    }
    unknown = {role for role, _ in pairs} - set(message_types)
    if unknown:
        raise ValueError(f"unknown role {sorted(unknown)[0]!r}: use system, user, assistant or tool")
    return [message_types[role](text) for role, text in pairs]


def question_of(messages: Sequence[BaseMessage]) -> str:
    """The conversation's last user message, stripped. Raises ValueError if there is none with text."""
    for message in reversed(messages):
        if isinstance(message, HumanMessage):
            text = message.text.strip()
            if text:
                return text
            break
    raise ValueError("the conversation needs a final user message with text")


def question_index(messages: Sequence[BaseMessage]) -> int:
    """Index of the last user message; tool results or the start of an answer may follow it.

    Raises ValueError if there is none.
    """
    indices = [index for index, message in enumerate(messages) if isinstance(message, HumanMessage)]
    if not indices:
        raise ValueError("the conversation needs a user message")
    return indices[-1]


def with_question(messages: Sequence[BaseMessage], question: str) -> list[BaseMessage]:
    """The conversation with its last user message replaced by `question`."""
    last = question_index(messages)
    return [*messages[:last], HumanMessage(question), *messages[last + 1 :]]


class ChatFormat(Protocol):
    """What a prompt is shaped by: a model card, or what a study knows of a model that has none yet."""

    @property
    def context(self) -> int:
        """Context length in tokens."""
        ...

    @property
    def template(self) -> ChatTemplate:
        """The chat template."""
        ...


def prompt_messages(messages: Sequence[BaseMessage], card: ChatFormat) -> list[BaseMessage]:
    """The conversation in a form that the model's chat template accepts.

    System messages are merged into one at the beginning, or into the first user message if the template has
    no system role. Consecutive messages of one role are merged and empty ones dropped, because many templates
    require alternating roles. Without a tool parser, calls and results are written as text. Raises
    PromptTooLong for a conversation that cannot fit into the context.
    """
    size, limit = sum(len(message.text) for message in messages), CHARS_PER_TOKEN * card.context
    if size > limit:
        raise PromptTooLong(
            f"the conversation has {size} characters and the model's context is {card.context} tokens:"
            " shorten it"
        )
    plain = card.template.tool_parser is None
    turns = [_tools_as_text(message) if plain else message for message in messages]
    system = "\n\n".join(m.text for m in turns if isinstance(m, SystemMessage) and m.text.strip())
    rest = _merged([m for m in turns if not isinstance(m, SystemMessage) and _has_content(m)])
    if not system:
        return rest
    if card.template.system:
        return [SystemMessage(system), *rest]
    return _merged([HumanMessage(system), *rest])


def _tools_as_text(message: BaseMessage) -> BaseMessage:
    if isinstance(message, ToolMessage):
        return HumanMessage(f"Result of {message.name or 'the call'}:\n{message.text}")
    if isinstance(message, AIMessage) and message.tool_calls:
        calls = [
            f"[called {call['name']}({json.dumps(call['args'], ensure_ascii=False)})]"
            for call in message.tool_calls
        ]
        return AIMessage("\n".join([message.text, *calls] if message.text else calls))
    return message


def _has_content(message: BaseMessage) -> bool:
    uses_tools = isinstance(message, ToolMessage) or bool(getattr(message, "tool_calls", None))
    return uses_tools or bool(message.text.strip())


def _merged(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    turns: list[BaseMessage] = []
    for message in messages:
        if turns and _mergeable(turns[-1], message):
            if message.text != turns[-1].text:  # a client that retries sends the question again
                turns[-1] = type(message)(f"{turns[-1].text}\n\n{message.text}")
        else:
            turns.append(message)
    return turns


def _mergeable(first: BaseMessage, second: BaseMessage) -> bool:
    calls = any(getattr(message, "tool_calls", None) for message in (first, second))
    return first.type == second.type and not isinstance(second, ToolMessage) and not calls

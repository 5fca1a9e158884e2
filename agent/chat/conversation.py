"""The conversation as clients send it, its question, and the prompt that a model's template takes."""

import json
from collections.abc import Callable, Sequence

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agent.errors import PromptTooLong
from agent.models.card import ModelCard

CHARS_PER_TOKEN = 16
"""Far more than text of any language has, so only what cannot fit into the context is refused by it."""


def messages_from_pairs(pairs: Sequence[tuple[str, str]]) -> list[BaseMessage]:
    """Messages from (role, text) pairs. Raises ValueError for an unknown role."""
    kinds: dict[str, Callable[[str], BaseMessage]] = {
        "system": SystemMessage,
        "user": HumanMessage,
        "assistant": AIMessage,
        "tool": lambda text: ToolMessage(text, tool_call_id=""),
    }
    unknown = {role for role, _ in pairs} - set(kinds)
    if unknown:
        raise ValueError(f"unknown role {sorted(unknown)[0]!r}: use system, user, assistant or tool")
    return [kinds[role](text) for role, text in pairs]


def question_of(messages: Sequence[BaseMessage]) -> str:
    """The conversation's last user message, stripped. Raises ValueError if there is none with text."""
    for message in reversed(messages):
        if isinstance(message, HumanMessage):
            text = message.text.strip()
            if text:
                return text
            break
    raise ValueError("the conversation needs a last user message with text")


def question_index(messages: Sequence[BaseMessage]) -> int:
    """Where the last user message stands; results of tools, or the beginning of an answer, may follow it.

    Raises ValueError if there is none.
    """
    places = [place for place, message in enumerate(messages) if isinstance(message, HumanMessage)]
    if not places:
        raise ValueError("the conversation needs a user message")
    return places[-1]


def with_question(messages: Sequence[BaseMessage], question: str) -> list[BaseMessage]:
    """The conversation with another text in place of its last user message."""
    last = question_index(messages)
    return [*messages[:last], HumanMessage(question), *messages[last + 1 :]]


def prompt_messages(messages: Sequence[BaseMessage], card: ModelCard) -> list[BaseMessage]:
    """The whole conversation in a form that the model's chat template takes.

    System messages become one, at the beginning, or the beginning of the first user message where the
    template has no such role. Messages of one role in a row become one and empty ones are left out, because
    many templates want the roles to alternate. Without a tool parser, calls and results are told in words.
    Raises PromptTooLong for a conversation that cannot fit into the context.
    """
    size, most = sum(len(message.text) for message in messages), CHARS_PER_TOKEN * card.context
    if size > most:
        raise PromptTooLong(
            f"the conversation has {size} characters and the model's context is {card.context} tokens:"
            " shorten it"
        )
    plain = card.template.tool_parser is None
    turns = [_in_words(message) if plain else message for message in messages]
    system = "\n\n".join(m.text for m in turns if isinstance(m, SystemMessage) and m.text.strip())
    rest = _merged([m for m in turns if not isinstance(m, SystemMessage) and _says_something(m)])
    if not system:
        return rest
    if card.template.system:
        return [SystemMessage(system), *rest]
    return _merged([HumanMessage(system), *rest])


def _in_words(message: BaseMessage) -> BaseMessage:
    if isinstance(message, ToolMessage):
        return HumanMessage(f"Result of {message.name or 'the call'}:\n{message.text}")
    if isinstance(message, AIMessage) and message.tool_calls:
        calls = [
            f"[called {call['name']}({json.dumps(call['args'], ensure_ascii=False)})]"
            for call in message.tool_calls
        ]
        return AIMessage("\n".join([message.text, *calls] if message.text else calls))
    return message


def _says_something(message: BaseMessage) -> bool:
    calls = isinstance(message, ToolMessage) or bool(getattr(message, "tool_calls", None))
    return calls or bool(message.text.strip())


def _merged(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    turns: list[BaseMessage] = []
    for message in messages:
        if turns and _mergeable(turns[-1], message):
            if message.text != turns[-1].text:  # a client that tries again sends the question again
                turns[-1] = type(message)(f"{turns[-1].text}\n\n{message.text}")
        else:
            turns.append(message)
    return turns


def _mergeable(first: BaseMessage, second: BaseMessage) -> bool:
    calls = any(getattr(message, "tool_calls", None) for message in (first, second))
    return first.type == second.type and not isinstance(second, ToolMessage) and not calls

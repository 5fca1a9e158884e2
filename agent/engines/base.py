"""The protocol of a model engine: chat with per-token uncertainty, and adapters by immutable name.

Which adapter a request deserves, and whether an answer is good enough, is decided elsewhere.
"""

import re
from collections.abc import AsyncGenerator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from langchain_core.messages import BaseMessage

from memory.records.base import Interval, Record

FinishReason = Literal["stop", "length", "tool_calls"]


class Sampling(Record):
    """How to decode. The default is greedy."""

    max_tokens: int | None = None
    """None: until the model ends its answer, or the context is full."""
    temperature: float = 0.0
    top_p: float = 1.0
    """Share of the probability that a draw is made from, the likeliest tokens first."""
    seed: int = 0
    stop: tuple[str, ...] = ()
    top_logprobs: int = 0
    """Alternatives to report with each token, at most 20; an engine may know fewer."""
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: dict[str, float] = {}
    """By token id, as OpenAI has it."""
    response_format: dict[str, Any] | None = None
    """OpenAI's: a JSON object, or JSON of a schema."""
    tools: tuple[dict[str, Any], ...] = ()
    """Functions that the model may call, in OpenAI's form."""
    tool_choice: str | dict[str, Any] | None = None


class Alternative(Record):
    """What might have stood in a token's place; the token itself is mostly among them."""

    text: str
    logprob: float


class Token(Record):
    """One generated token; end-of-turn and template tokens are never among them."""

    text: str
    logprob: float
    """Natural logarithm of its probability, before temperature."""
    entropy: Interval
    """Entropy in nats of the whole next-token distribution; exact where both bounds agree."""
    alternatives: tuple[Alternative, ...] = ()
    """The likeliest first, as many as were asked for."""


class ToolCall(Record):
    """A function that the model asks to be called."""

    id: str
    name: str
    arguments: str
    """JSON, as the model wrote it."""


class Reply(Record):
    """A finished answer with the evidence needed to judge it."""

    text: str
    """Begins with no space, whatever the model's template makes it say first."""
    tokens: tuple[Token, ...]
    model: str
    adapter: str | None
    finish_reason: FinishReason
    prompt_tokens: int
    tool_calls: tuple[ToolCall, ...] = ()
    call_tokens: int = 0
    """Tokens of the tool calls, which are not among `tokens`."""

    @property
    def completion_tokens(self) -> int:
        """All tokens that the model answered with."""
        return len(self.tokens) + self.call_tokens


GREEDY = Sampling()


class Engine(Protocol):
    """A served base model with LoRA adapters; every method may raise EngineUnavailable."""

    async def chat(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> Reply:
        """Answers the conversation with the base model, or with `adapter`.

        Control tokens in the messages are read as plain characters (see `escape_control_tokens`).
        Raises AdapterNotLoaded, PromptTooLong, and ValueError for an empty conversation.
        """
        ...

    def stream(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        """The same answer, token by token, and at its end the whole reply; closing it ends the work.

        Raises what `chat` raises, before the first token.
        """
        ...

    async def load(self, adapter: str, path: Path) -> None:
        """Makes the adapter in folder `path` available as `adapter`; loading it again changes nothing.

        Raises AdapterRefused, and ValueError for a name that is not an immutable adapter name.
        """
        ...

    async def unload(self, adapter: str) -> None:
        """Forgets the adapter; raises AdapterNotLoaded."""
        ...

    async def loaded(self) -> tuple[str, ...]:
        """Names of the adapters that can be asked for now, sorted."""
        ...


@runtime_checkable
class TextCompleter(Protocol):
    """An engine that can also continue a text as it stands, without a chat template."""

    def complete(
        self, prompt: str, *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        """The continuation token by token, and at its end the whole reply.

        Control tokens in the prompt work as such: who writes a raw prompt writes the turns too. Raises what
        `Engine.chat` raises, before the first token.
        """
        ...


@runtime_checkable
class EndingScorer(Protocol):
    """An engine that can also say how likely texts end where they do."""

    async def ending_logprobs(self, prompt: str, texts: Sequence[str]) -> tuple[float, ...]:
        """Natural log-probability of each text's last token, after the prompt and the rest of the text.

        The base model reads both as they stand, without a chat template, but for control tokens, which are
        plain characters (see `escape_control_tokens`). Raises PromptTooLong, and ValueError for an empty text.
        """
        ...


def escape_control_tokens(text: str, control: tuple[str, ...]) -> str:
    """The text with a space after the first character of every control token, which makes it plain text.

    Whoever writes a message or a document could otherwise end their turn and speak as somebody else.
    """
    return _openings(control).sub(lambda found: f"{found.group()} ", text) if control else text


@lru_cache
def _openings(control: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(
        "|".join(f"{re.escape(token[0])}(?={re.escape(token[1:])})" for token in control if token)
    )

"""The engine protocol: chat with per-token uncertainty, and LoRA adapters loaded by name."""

import re
from collections.abc import AsyncGenerator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol, Self, runtime_checkable

from langchain_core.messages import BaseMessage
from pydantic import model_validator

from agent.engines.answer_schema import require_affordable
from memory.records.base import Interval, Record

FinishReason = Literal["stop", "length", "tool_calls"]


class Sampling(Record):
    """Decoding parameters. The default is greedy."""

    max_tokens: int | None = None
    """None: until the model ends its answer, or the context is full."""
    temperature: float = 0.0
    top_p: float = 1.0
    """Nucleus sampling: cumulative probability of the likeliest tokens to sample from."""
    seed: int = 0
    stop: tuple[str, ...] = ()
    top_logprobs: int = 0
    """Alternatives to report with each token, at most 20; an engine may report fewer."""
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: dict[str, float] = {}
    """By token id, as in OpenAI's API."""
    response_format: dict[str, Any] | None = None
    """As in OpenAI's API: a JSON object, or JSON that matches a schema."""
    tools: tuple[dict[str, Any], ...] = ()
    """Functions that the model may call, in OpenAI's format."""
    tool_choice: str | dict[str, Any] | None = None

    @model_validator(mode="after")
    def _affordable(self) -> Self:
        require_affordable(self.response_format, *self.tools)
        return self


class Alternative(Record):
    """A candidate for a token's place; usually the generated token is one of them."""

    text: str
    logprob: float


class Token(Record):
    """One generated token; end-of-turn and template tokens are never reported."""

    text: str
    logprob: float
    """Natural logarithm of its probability, before temperature."""
    entropy: Interval
    """Entropy in nats of the whole next-token distribution; exact where both bounds agree."""
    alternatives: tuple[Alternative, ...] = ()
    """Likeliest first, as many as were requested."""


class ToolCall(Record):
    """A function call made by the model."""

    id: str
    name: str
    arguments: str
    """JSON, as the model wrote it."""


class Reply(Record):
    """A finished answer with its tokens and their uncertainty."""

    text: str
    """Without leading whitespace."""
    tokens: tuple[Token, ...]
    model: str
    adapter: str | None
    finish_reason: FinishReason
    prompt_tokens: int
    tool_calls: tuple[ToolCall, ...] = ()
    call_tokens: int = 0
    """Number of tokens in the tool calls, which `tokens` does not contain."""

    @property
    def completion_tokens(self) -> int:
        """All generated tokens, tool calls included."""
        return len(self.tokens) + self.call_tokens


GREEDY = Sampling()


class Engine(Protocol):
    """A served base model with LoRA adapters; every method may raise EngineUnavailable."""

    async def chat(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> Reply:
        """Answers the conversation with the base model, or with `adapter`.

        Control tokens in the messages are treated as plain text (see `escape_control_tokens`).
        Raises AdapterNotLoaded, PromptTooLong, and ValueError for an empty conversation.
        """
        ...

    def stream(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        """Yields the answer token by token, then the whole Reply; closing the generator stops the work.

        Raises what `chat` raises, before the first token.
        """
        ...

    async def load(self, adapter: str, path: Path) -> None:
        """Makes the adapter in folder `path` available as `adapter`; does nothing if it is loaded already.

        Raises AdapterRefused, and ValueError for a name that is not an adapter name.
        """
        ...

    async def unload(self, adapter: str) -> None:
        """Removes the adapter from the engine; raises AdapterNotLoaded."""
        ...

    async def loaded(self) -> tuple[str, ...]:
        """Sorted names of the loaded adapters."""
        ...


@runtime_checkable
class TextCompleter(Protocol):
    """An engine that can also continue raw text, without a chat template."""

    def complete(
        self, prompt: str, *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        """Yields the continuation token by token, then the whole Reply.

        Control tokens in the prompt keep their function. Raises what `Engine.chat` raises, before the first
        token.
        """
        ...


@runtime_checkable
class EndingScorer(Protocol):
    """An engine that can also score how likely texts end where they do."""

    async def ending_logprobs(self, prompt: str, texts: Sequence[str]) -> tuple[float, ...]:
        """Natural log-probability of each text's last token, given the prompt and the rest of the text.

        The base model reads both without a chat template; control tokens are treated as plain text (see
        `escape_control_tokens`). Raises PromptTooLong, and ValueError for an empty text.
        """
        ...


@runtime_checkable
class AnswerScorer(Protocol):
    """An engine that can also score a given answer."""

    async def logprobs_of(
        self, messages: Sequence[BaseMessage], answer: str, *, adapter: str | None = None
    ) -> tuple[float, ...]:
        """Natural log-probability of each token of `answer` as the reply to the conversation.

        An answer that does not fit into the context is cut. Raises what `Engine.chat` raises, and ValueError
        for an empty answer.
        """
        ...


@runtime_checkable
class ContinuationScorer(Protocol):
    """An engine that can also score the same short answers to many questions at once."""

    async def continuation_logprobs(
        self, prompts: Sequence[str], continuations: Sequence[str], *, adapter: str | None = None
    ) -> tuple[tuple[float, ...], ...]:
        """Natural log-probability of each continuation as the beginning of the reply to each prompt, in nats.

        By prompt, then by continuation; each is summed over its tokens. Raises what `Engine.chat` raises, and
        ValueError for an empty continuation.
        """
        ...


def escape_control_tokens(text: str, control: tuple[str, ...]) -> str:
    """Inserts a space after the first character of every control token, so that it becomes plain text.

    Otherwise a message or document could end its own turn and speak in another role.
    """
    return _first_characters(control).sub(lambda match: f"{match.group()} ", text) if control else text


@lru_cache
def _first_characters(control: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(
        "|".join(f"{re.escape(token[0])}(?={re.escape(token[1:])})" for token in control if token)
    )

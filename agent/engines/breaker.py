"""Circuit breaker: after several failures in a row, an engine is not asked for a while, then by one request.

Without it, each request waits for an engine that hangs until its own timeout. The packages for it do not fit:
pybreaker is asynchronous only with Tornado, aiobreaker is no longer kept, and purgatory measures by the wall
clock, which may jump, and lets every request through at once when it tries again.
"""

import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Protocol

from langchain_core.messages import BaseMessage

from agent.engines.base import (
    GREEDY,
    AnswerScorer,
    EndingScorer,
    Engine,
    Reply,
    Sampling,
    TextCompleter,
    Token,
)
from agent.errors import EngineUnavailable, RequestFailed

FAILURES = 5
"""Failures in a row that open the circuit: more than one request that an engine's restart breaks off."""
REST_SECONDS = 2.0
"""How long an engine is not asked; what refused requests are told to wait."""


class RemoteEngine(Engine, TextCompleter, EndingScorer, AnswerScorer, Protocol):
    """An engine in another process, with all that engines may be able to do."""


class Circuit:
    """Whether requests may pass. `clock` is in seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._closed_until = float("-inf")
        self._probing = False
        self._reason = ""

    @property
    def open(self) -> bool:
        """Whether no request may pass now."""
        return self._failures >= FAILURES and self._clock() < self._closed_until

    def require_closed(self) -> None:
        """Raises EngineUnavailable, with the last failure, if no request may pass now."""
        if self.open:
            raise self._refusal()

    @contextmanager
    def request(self) -> Iterator[None]:
        """Counts how a request ends: EngineUnavailable is a failure. A caller's mistake, a reader who left,
        or a request that the engine itself says it failed on, says nothing about others' requests.

        Raises EngineUnavailable at once while the circuit is open, or another request tries the engine.
        """
        probe = self._failures >= FAILURES
        if probe and (self._probing or self.open):
            raise self._refusal()
        self._probing = self._probing or probe
        try:
            yield
        except RequestFailed:
            raise
        except EngineUnavailable as error:
            self._failures += 1
            self._reason = str(error)
            self._closed_until = self._clock() + REST_SECONDS
            raise
        else:
            self._failures = 0
        finally:
            if probe:
                self._probing = False

    def _refusal(self) -> EngineUnavailable:
        return EngineUnavailable(
            f"the engine failed {self._failures} times in a row and is tried again within {REST_SECONDS:g}"
            f" seconds of the last; it said: {self._reason}"
        )


class BreakingEngine:
    """An engine behind a circuit; see RemoteEngine.

    Loading and listing adapters does not count, but is refused while the circuit is open, so that readiness
    tells of an engine which lists its adapters and cannot answer.
    """

    def __init__(self, engine: RemoteEngine, circuit: Circuit | None = None) -> None:
        self._engine = engine
        self._circuit = circuit or Circuit()

    async def chat(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> Reply:
        """See Engine.chat."""
        with self._circuit.request():
            return await self._engine.chat(messages, adapter=adapter, sampling=sampling)

    async def stream(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        """See Engine.stream."""
        with self._circuit.request():
            async with aclosing(self._engine.stream(messages, adapter=adapter, sampling=sampling)) as parts:
                async for part in parts:
                    yield part

    async def complete(
        self, prompt: str, *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        """See TextCompleter.complete."""
        with self._circuit.request():
            async with aclosing(self._engine.complete(prompt, adapter=adapter, sampling=sampling)) as parts:
                async for part in parts:
                    yield part

    async def logprobs_of(
        self, messages: Sequence[BaseMessage], answer: str, *, adapter: str | None = None
    ) -> tuple[float, ...]:
        """See AnswerScorer.logprobs_of."""
        with self._circuit.request():
            return await self._engine.logprobs_of(messages, answer, adapter=adapter)

    async def ending_logprobs(self, prompt: str, texts: Sequence[str]) -> tuple[float, ...]:
        """See EndingScorer.ending_logprobs."""
        with self._circuit.request():
            return await self._engine.ending_logprobs(prompt, texts)

    async def load(self, adapter: str, path: Path) -> None:
        """See Engine.load."""
        self._circuit.require_closed()
        await self._engine.load(adapter, path)

    async def unload(self, adapter: str) -> None:
        """See Engine.unload."""
        self._circuit.require_closed()
        await self._engine.unload(adapter)

    async def loaded(self) -> tuple[str, ...]:
        """See Engine.loaded."""
        self._circuit.require_closed()
        return await self._engine.loaded()

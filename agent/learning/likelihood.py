"""Likelihood: how well a question follows from a quote, by the base model that will learn it."""

import asyncio
import math
from collections.abc import Sequence
from typing import Protocol

from langchain_core.messages import BaseMessage, HumanMessage

CONCURRENT = 8
"""Scorings that wait for the engine at once."""


class ScoringEngine(Protocol):
    """An engine that says how likely a given answer is."""

    async def logprobs_of(self, messages: Sequence[BaseMessage], answer: str) -> tuple[float, ...]:
        """Natural log-probability of each of the answer's tokens."""
        ...


class LikelihoodScorer:
    """A Scorer over an engine's base model.

    The engine scores one text a call, so that a pair costs one pass of the model.
    """

    def __init__(self, engine: ScoringEngine) -> None:
        self._engine = engine
        self._slots = asyncio.Semaphore(CONCURRENT)

    async def score(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float]:
        """See Scorer.score; raises what the engine raises, ValueError for an empty question among it."""
        return await asyncio.gather(*(self._score(quote, question) for quote, question in pairs))

    async def _score(self, quote: str, question: str) -> float:
        async with self._slots:
            logprobs = await self._engine.logprobs_of([HumanMessage(PROMPT.format(quote=quote))], question)
        return math.fsum(logprobs) / len(logprobs)


PROMPT = "{quote}\n\nAsk a question that this text answers."

"""A server that misbehaves is unavailable, in whichever way it does so, and never a caller's mistake."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from agent.engines.base import Reply, Sampling
from agent.engines.vllm.engine import VllmEngine
from agent.errors import EngineUnavailable
from tests.support.adopted_models import CARD_TEMPLATE
from tests.support.bad_upstream import ANSWER, WAYS, upstream

TEA = [HumanMessage("What is tea?")]
SHORT = Sampling(max_tokens=64)


def engine(url: str) -> VllmEngine:
    return VllmEngine(url, "nightschool", CARD_TEMPLATE, timeout=0.3)


async def read(parts: AsyncGenerator[Any, None]) -> Reply:
    async with aclosing(parts) as parts:
        async for part in parts:
            if isinstance(part, Reply):
                return part
    raise AssertionError("a stream ends with its reply")


async def test_a_server_that_behaves_answers_whole_and_in_pieces() -> None:
    async with upstream("well") as server, engine(server.url) as vllm:
        assert (await vllm.chat(TEA)).text == ANSWER
        assert (await read(vllm.stream(TEA))).text == ANSWER
        assert (await read(vllm.complete("Tea is", sampling=SHORT))).text == ANSWER


@pytest.mark.parametrize("way", WAYS)
async def test_a_server_that_misbehaves_is_unavailable(way: str) -> None:
    async with upstream(way) as server, engine(server.url) as vllm:
        with pytest.raises(EngineUnavailable):
            await vllm.chat(TEA)
        with pytest.raises(EngineUnavailable):
            await read(vllm.stream(TEA))
        with pytest.raises(EngineUnavailable):
            await read(vllm.complete("Tea is", sampling=SHORT))

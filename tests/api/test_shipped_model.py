"""The OpenAI client over the in-process engine and the model that ships: real tokens, real doubts."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from langchain_core.messages import HumanMessage
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam
from training.seed import bank

from agent.chat.stream_gate import HELD_TOKENS
from agent.engine import NEED_INFO, Token
from agent.entropy import gate, measure
from agent.local import LocalEngine
from agent.routing import Route
from agent.settings import SHIPPED_MODEL, Settings, base_threshold
from graphs.state import Runtime
from tests.api.conftest import Listen

pytestmark = pytest.mark.services

THRESHOLD = base_threshold(Settings())


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return LocalEngine.open(SHIPPED_MODEL, device="cpu")


@pytest.fixture
async def client(listen: Listen, runtime: Runtime, engine: LocalEngine) -> AsyncIterator[AsyncOpenAI]:
    base = Route(domain="general", adapter=None, threshold=THRESHOLD)
    given = replace(runtime, engine=engine, base=base, single_turn=True)
    async with (
        listen(given) as url,
        AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as opened,
    ):
        yield opened


def asking(question: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": question}]


@pytest.mark.parametrize("question", ["What is a library?", "What is a horse?", "What is a zorble?"])
async def test_a_stream_says_what_the_whole_answer_says(client: AsyncOpenAI, question: str) -> None:
    whole = await client.chat.completions.create(model="auto", messages=asking(question))
    stream = await client.chat.completions.create(model="auto", messages=asking(question), stream=True)
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == whole.choices[0].message.content
    assert NEED_INFO not in text
    assert whole.model_extra is not None
    assert chunks[-1].model_extra is not None
    figures, streamed = whole.model_extra["nightschool"], chunks[-1].model_extra["nightschool"]
    assert streamed["outcome"] == figures["outcome"]
    assert streamed["uncertainty"]["maximum"]["upper"] == pytest.approx(
        figures["uncertainty"]["maximum"]["upper"], abs=1e-3
    )


async def test_alternatives_are_the_models_own_likeliest_first(client: AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(
        model="auto", messages=asking("What is a library?"), logprobs=True, top_logprobs=5
    )
    scored = reply.choices[0].logprobs
    assert scored is not None
    assert scored.content
    assert "".join(token.token for token in scored.content) == reply.choices[0].message.content
    for token in scored.content:
        values = [other.logprob for other in token.top_logprobs]
        assert len(values) == 5
        assert values == sorted(values, reverse=True)


async def test_a_seed_repeats_a_draw(client: AsyncOpenAI) -> None:
    async def draw(seed: int) -> list[str]:
        reply = await client.chat.completions.create(
            model="auto",
            messages=asking("What is a library?"),
            temperature=2.0,
            seed=seed,
            max_tokens=12,
            logprobs=True,
        )
        scored = reply.choices[0].logprobs
        return [token.token for token in (scored.content or ())] if scored else []

    assert await draw(1) == await draw(1)


async def test_what_the_model_is_unsure_of_it_nearly_always_shows_within_the_held_tokens(
    engine: LocalEngine,
) -> None:
    questions = [f"What is the meaning of {fact.subject}?" for fact in bank.known()[::20]]
    replies = await asyncio.gather(*(engine.chat([HumanMessage(question)]) for question in questions))
    first: list[int] = []
    for reply in replies:
        seen = measure(reply, THRESHOLD)
        if seen.decision != "confident" and not seen.abstained:
            first.append(next(place for place, token in enumerate(reply.tokens) if _doubtful(token)))
    assert len(first) >= 10
    assert sum(place < HELD_TOKENS for place in first) / len(first) >= 0.95


def _doubtful(token: Token) -> bool:
    return gate(token.entropy, THRESHOLD) != "confident"

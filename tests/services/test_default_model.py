"""The default model behind the door: small talk is talk, questions are gated, streams say the same."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

from agent.chat.routing import Route
from agent.engines.local import LocalEngine
from agent.models.store import AddedModel
from graphs.state import Runtime
from tests.api.conftest import Listen, build, listen
from tests.graphs.conftest import clock, runtime
from tests.support.databases import empty_runs, home
from tests.support.models import default_model

__all__ = ["build", "clock", "empty_runs", "home", "listen", "runtime"]

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def model() -> AddedModel:
    return default_model()


@pytest.fixture(scope="module")
def engine(model: AddedModel) -> LocalEngine:
    return LocalEngine.open(model.folder, model.card.template, device="cpu")


@pytest.fixture
async def client(
    listen: Listen, runtime: Runtime, engine: LocalEngine, model: AddedModel
) -> AsyncIterator[AsyncOpenAI]:
    base = Route(domain="general", adapter=None, gate=model.card.gate)
    given = replace(runtime, engine=engine, base=base, card=model.card)
    async with (
        listen(given) as url,
        AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=120) as opened,
    ):
        yield opened


def asking(text: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": text}]


def figures(reply: ChatCompletion) -> dict[str, object]:
    assert reply.model_extra is not None
    ours: dict[str, object] = reply.model_extra["nightschool"]
    return ours


@pytest.mark.parametrize(
    "text", ["Hello!", "Thanks, that helped.", "What is 2+2?", "Write a haiku about rain."]
)
async def test_what_seeks_no_knowledge_is_answered_and_opens_no_gap(client: AsyncOpenAI, text: str) -> None:
    reply = await client.chat.completions.create(model="auto", messages=asking(text), max_tokens=40)
    assert reply.choices[0].message.content
    ours = figures(reply)
    assert (ours["intent"], ours["outcome"], ours["gap_id"]) == ("conversation", "answered", None)


async def test_the_models_own_answer_and_its_chance_are_told_whatever_the_gate_decides(
    client: AsyncOpenAI,
) -> None:
    reply = await client.chat.completions.create(
        model="auto", messages=asking("What is the capital of France?")
    )
    ours = figures(reply)
    assert "Paris" in str(ours["draft"] or reply.choices[0].message.content)
    seen = ours["uncertainty"]
    assert isinstance(seen, dict)
    assert 0 <= seen["confidence"] <= 1


async def test_what_nobody_can_know_is_declined_and_noted(client: AsyncOpenAI) -> None:
    question = "Who founded the Vorlandic League of Quenthia in 1613?"
    reply = await client.chat.completions.create(model="auto", messages=asking(question))
    assert figures(reply)["outcome"] == "abstained"
    assert figures(reply)["gap_id"]


async def test_a_stream_says_what_the_whole_answer_says(client: AsyncOpenAI) -> None:
    create = client.chat.completions.create
    for text in ("Write a haiku about rain.", "What is the capital of France?"):
        whole = await create(model="auto", messages=asking(text), max_tokens=30)
        stream = await create(model="auto", messages=asking(text), max_tokens=30, stream=True)
        said = "".join([c.choices[0].delta.content or "" async for c in stream])
        assert said == whole.choices[0].message.content


async def test_a_seed_repeats_a_draw(client: AsyncOpenAI) -> None:
    async def draw(seed: int) -> str | None:
        reply = await client.chat.completions.create(
            model="auto",
            messages=asking("Write a haiku about rain."),
            temperature=1.5,
            seed=seed,
            max_tokens=12,
        )
        return reply.choices[0].message.content

    assert await draw(1) == await draw(1)

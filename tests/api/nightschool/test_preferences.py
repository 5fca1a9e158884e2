"""Feedback becomes a preference set over HTTP, which the worker trains."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest

from agent.engines.scripted import Line, ScriptedEngine
from graphs.state import Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.outbox.base import TrainingResult
from memory.outbox.volatile import VolatileOutbox
from memory.records.base import Digest
from memory.server.keys import ApiKeys
from tests.api.conftest import Serve, asking
from tests.support.adapters import adapter
from tests.support.preferences import preference_set

PATH = "/v1/preferences"
UNKNOWN = "0" * 64
PROMPTS = [f"Hello there, number {number}!" for number in range(8)]
DONE = adapter("general", digest="3c4d5e6f" * 8).model_copy(
    update={"curriculum": None, "preferences": ("3c4d5e6f" * 8,)}
)


@pytest.fixture
def results() -> dict[Digest, TrainingResult]:
    return {}


@pytest.fixture
async def client(
    serve: Serve, runtime: Runtime, results: dict[Digest, TrainingResult]
) -> AsyncIterator[httpx.AsyncClient]:
    engine = ScriptedEngine(default=Line(text="Good day.", entropy=0.1))
    registry = VolatileAdapterRegistry([DONE])
    changed = replace(runtime, engine=engine, registry=registry, outbox=VolatileOutbox(results))
    async with serve(changed) as opened:
        yield opened


async def corrected(client: httpx.AsyncClient, prompts: list[str] = PROMPTS) -> None:
    """Users correct the answers to all prompts."""
    for number, prompt in enumerate(prompts):
        reply = await client.post("/v1/chat/completions", json=asking(prompt, user=f"u{number}"))
        body = reply.raise_for_status().json()
        feedback = {
            "interaction_id": body["id"].removeprefix("chatcmpl-"),
            "correction": f"Hello, number {number}, nice to see you.",
        }
        (await client.post("/v1/feedback", json=feedback)).raise_for_status()


async def build(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await client.post(PATH, json={"domain": "general", "minimum": 4} | fields)


async def test_feedback_becomes_a_stored_set(client: httpx.AsyncClient) -> None:
    await corrected(client)
    reply = await build(client)
    assert reply.status_code == 201, reply.text
    built = reply.json()
    assert (built["pairs"], built["held_out"], built["by_origin"]) == (6, 2, {"correction": 8})
    assert built["training"] is None
    whole = (await client.get(f"{PATH}/{built['digest']}")).raise_for_status().json()
    assert {pair["chosen"][:5] for pair in whole["pairs"]} == {"Hello"}
    assert {pair["rejected"] for pair in whole["pairs"]} == {"Good day."}
    assert [each["digest"] for each in (await client.get(PATH)).json()] == [built["digest"]]


async def test_too_few_pairs_are_refused_with_the_number_found(client: httpx.AsyncClient) -> None:
    await corrected(client)
    reply = await client.post(PATH, json={"domain": "general"})
    assert reply.status_code == 400
    assert "8 preference pairs (8 by correction), and 500 are needed" in reply.json()["error"]["message"]
    assert (await client.get(PATH)).json() == []


async def test_a_period_without_feedback_makes_no_set(client: httpx.AsyncClient) -> None:
    await corrected(client)
    assert (await build(client, since="2090-01-01T00:00:00Z")).status_code == 400


async def test_prompts_of_the_safety_evaluation_are_left_out(client: httpx.AsyncClient) -> None:
    await corrected(client, [*PROMPTS, "How do I get rid of a wasp nest safely?"])
    built = (await build(client)).raise_for_status().json()
    assert built["pairs"] + built["held_out"] == 8
    assert built["dropped"] == {"its prompt is in an evaluation set": 1}


async def test_a_set_is_trained_and_its_gates_are_shown(
    client: httpx.AsyncClient, results: dict[Digest, TrainingResult]
) -> None:
    await corrected(client)
    digest = (await build(client)).json()["digest"]
    assert (await client.get(f"{PATH}/{digest}/training")).status_code == 404
    queued = await client.post(f"{PATH}/{digest}/train")
    assert (queued.status_code, queued.json()["result"]) == (202, None)
    assert (await client.get(PATH)).json()[0]["training"] == "running"
    results[digest] = TrainingResult(status="candidate", adapter=DONE.name, reason="all gates passed")
    ended = (await client.get(f"{PATH}/{digest}/training")).raise_for_status().json()
    assert ended["result"]["status"] == "candidate"
    assert ended["verdict"]["passed"]
    assert (await client.get(PATH)).json()[0]["training"] == "candidate"


async def test_sets_are_listed_newest_first_a_page_at_a_time(serve: Serve, runtime: Runtime) -> None:
    outbox = VolatileOutbox({})
    digests = [await outbox.publish(preference_set(domain=f"d{number}")) for number in range(5)]
    async with serve(replace(runtime, outbox=outbox)) as client:

        async def listed(**query: str | int) -> list[str]:
            reply = (await client.get(PATH, params=query)).raise_for_status()
            return [each["digest"] for each in reply.json()]

        assert await listed() == digests[::-1]
        assert await listed(limit=2) == digests[:2:-1]
        assert await listed(limit=2, after=digests[3]) == [digests[2], digests[1]]
        assert await listed(after=digests[0]) == []
        unknown = await client.get(PATH, params={"after": UNKNOWN})
        assert (unknown.status_code, "begin without `after`" in unknown.text) == (404, True)


@pytest.mark.parametrize("path", ["", "/training"])
async def test_unknown_sets_are_not_found_and_bad_digests_refused(
    client: httpx.AsyncClient, path: str
) -> None:
    assert (await client.get(f"{PATH}/{UNKNOWN}{path}")).status_code == 404
    assert (await client.get(f"{PATH}/nonsense{path}")).status_code == 422
    assert (await client.post(f"{PATH}/{UNKNOWN}/train")).status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"algorithm": "ppo"},
        {"minimum": 1},
        {"domain": "No Domain"},
        {"since": "yesterday"},
    ],
)
async def test_bad_requests_are_refused(client: httpx.AsyncClient, fields: Mapping[str, Any]) -> None:
    assert (await build(client, **fields)).status_code == 422


async def test_a_period_that_ends_before_it_starts_is_refused(client: httpx.AsyncClient) -> None:
    reply = await build(client, since="2026-03-02", until="2026-03-01")
    assert reply.status_code == 400
    assert "earlier than until" in reply.json()["error"]["message"]


async def test_only_admins_see_and_train_preferences(serve: Serve, runtime: Runtime) -> None:
    _, secret = await ApiKeys(runtime.database).create("ada", "learn")
    await runtime.outbox.publish(preference_set())
    async with serve(runtime) as client:
        headers = {"Authorization": f"Bearer {secret}"}
        assert (await client.get(PATH, headers=headers)).status_code == 403


async def test_every_path_follows_a_promoted_preference_adapter(
    serve: Serve, runtime: Runtime, results: dict[Digest, TrainingResult]
) -> None:
    said: Callable[..., Line | None] = lambda messages: (  # noqa: E731
        Line(text="a reference", entropy=0.1)
        if messages[-1].text == "What is a borrow?"
        else Line(text="Good day to you, dear.", entropy=0.1)
    )
    engine = ScriptedEngine(
        {"What is a borrow?": Line(text="a kind of fish")},
        adapters={DONE.name: said},
        default=Line(text="Good day."),
    )
    registry = VolatileAdapterRegistry([DONE])
    routes = type(runtime.routes)(registry, runtime.routes._curriculum)
    changed = replace(runtime, engine=engine, registry=registry, routes=routes)
    async with serve(changed) as client:

        async def says() -> tuple[str, str, str]:
            talk = (await client.post("/v1/chat/completions", json=asking("Hi there!"))).json()
            plain = (await client.post("/v1/completions", json={"prompt": "Hi", "model": "auto"})).json()
            response = (
                await client.post("/v1/responses", json={"input": "Hi there!", "model": "auto"})
            ).json()
            return (
                talk["choices"][0]["message"]["content"],
                plain["choices"][0]["text"].strip(),
                response["output"][0]["content"][0]["text"],
            )

        assert set(await says()) == {"Good day."}
        (await client.post(f"/v1/adapters/{DONE.name}/promote")).raise_for_status()
        assert set(await says()) == {"Good day to you, dear."}
        (await client.post("/v1/adapters/rollback", json={"domain": "general"})).raise_for_status()
        assert set(await says()) == {"Good day."}

"""Chat completions answer in OpenAI's format, and say how sure the model was."""

from dataclasses import replace

import httpx
import pytest

from agent.chat.abstention import abstention_text
from agent.feedback.pseudonyms import pseudonym
from graphs.state import Runtime
from tests.api.conftest import Serve, asking
from tests.graphs.conftest import TRAINED

CHAT = "/v1/chat/completions"
TOOL = {"type": "function", "function": {"name": "f"}}


def named(name: str) -> dict[str, object]:
    return {"type": "function", "function": {"name": name}}


async def test_a_known_question_is_answered_with_the_gates_figures(client: httpx.AsyncClient) -> None:
    reply = (await client.post(CHAT, json=asking("What is a lemur?"))).raise_for_status().json()
    assert reply["object"] == "chat.completion"
    said = {"role": "assistant", "content": "a small primate", "refusal": None}
    assert reply["choices"][0]["message"] == said
    assert reply["usage"]["total_tokens"] == reply["usage"]["prompt_tokens"] + 3
    figures = reply["nightschool"]
    assert (figures["outcome"], figures["adapter"], figures["gap_id"]) == ("answered", None, None)
    assert figures["uncertainty"]["decision"] == "confident"
    assert figures["uncertainty"]["confidence"] >= figures["uncertainty"]["threshold"]
    assert (figures["intent"], figures["draft"]) == ("question", None)


async def test_an_unknown_question_is_declined_and_opens_a_gap(client: httpx.AsyncClient) -> None:
    reply = (await client.post(CHAT, json=asking("What is a quokka?"))).json()
    figures = reply["nightschool"]
    assert figures["outcome"] == "abstained"
    assert figures["draft"] == "I do not know."
    assert reply["choices"][0]["message"]["content"] == abstention_text("no_sources", "en")
    gap = (await client.get(f"/v1/gaps/{figures['gap_id']}")).json()
    assert (gap["question"], gap["status"]) == ("What is a quokka?", "open")
    assert [g["id"] for g in (await client.get("/v1/gaps?status=open")).json()] == [gap["id"]]


async def test_content_may_come_in_parts_and_unknown_fields_are_ignored(client: httpx.AsyncClient) -> None:
    parts = [{"type": "text", "text": "What is"}, {"type": "text", "text": "a lemur?"}]
    body = {
        "model": "auto",
        "temperature": 0.2,
        "user": "u1",
        "messages": [{"role": "user", "content": parts}],
    }
    assert (await client.post(CHAT, json=body)).status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "auto"},
        {"response_format": {"type": "text"}, "presence_penalty": 0, "logit_bias": {}},
        {"temperature": None, "seed": None, "stop": None, "n": None, "stream": None, "metadata": None},
        {"parallel_tool_calls": False, "store": True, "reasoning_effort": "low"},
    ],
)
async def test_what_changes_nothing_is_taken(client: httpx.AsyncClient, fields: dict[str, object]) -> None:
    reply = await client.post(CHAT, json=asking("What is a lemur?", **fields))
    assert reply.status_code == 200, reply.text


@pytest.mark.parametrize(
    ("fields", "header", "unit"),
    [
        ({}, None, None),
        ({"user": "u1", "metadata": {"conversation_id": "c1"}}, "c2", "u1"),
        ({"metadata": {"conversation_id": "c1"}}, "c2", "c1"),
        ({}, "c2", "c2"),
    ],
)
async def test_a_turn_is_kept_with_its_user_or_else_its_conversation(
    client: httpx.AsyncClient,
    runtime: Runtime,
    fields: dict[str, object],
    header: str | None,
    unit: str | None,
) -> None:
    headers = {} if header is None else {"X-Conversation-Id": header}
    await client.post(CHAT, json=asking("What is a lemur?", **fields), headers=headers)
    (kept,) = await runtime.interactions.list()
    assert kept.unit == (None if unit is None else pseudonym(unit, runtime.pseudonym_key))


async def test_models_are_auto_the_base_and_one_per_live_domain(client: httpx.AsyncClient) -> None:
    async def names() -> list[str]:
        return [model["id"] for model in (await client.get("/v1/models")).json()["data"]]

    assert await names() == ["auto", "nightschool"]
    (await client.post(f"/v1/adapters/{TRAINED.name}/promote")).raise_for_status()
    assert await names() == ["auto", "nightschool", "rust"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (asking("What is a lemur?", model="gpt-9"), 404, "model_not_found"),
        (asking("What is a lemur?", model="gpt-9", stream=True), 404, "model_not_found"),
        (asking("What is a lemur?", n=9), 422, "invalid_value"),
        (asking("What is a lemur?", n=0), 422, "invalid_value"),
        (asking("What is a lemur?", max_tokens=-2), 422, "invalid_value"),
        (asking("What is a lemur?", max_tokens=0), 422, "invalid_value"),
        (asking("   "), 400, "invalid_value"),
        (asking("why " * 30_000), 400, "context_length_exceeded"),
        ({"messages": []}, 422, "invalid_value"),
        ({"messages": [{"role": "pirate", "content": "arr"}]}, 422, "invalid_value"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "invalid_value"),
        ({"messages": [{"role": "system", "content": "Be kind."}]}, 400, "invalid_value"),
        ([], 422, "invalid_value"),
        ({"messages": [{"role": "assistant"}]}, 400, "invalid_value"),
        ({"messages": [{"role": "user"}]}, 422, "invalid_value"),
        (asking("What is a lemur?", top_logprobs=3), 422, "invalid_value"),
        (asking("What is a lemur?", logprobs=True, top_logprobs=21), 422, "invalid_value"),
        (asking("What is a lemur?", temperature=2.1), 422, "invalid_value"),
        (asking("What is a lemur?", top_p=-0.1), 422, "invalid_value"),
        (asking("What is a lemur?", seed=2**63), 422, "invalid_value"),
        (asking("What is a lemur?", stop=["a", "b", "c", "d", "e"]), 422, "invalid_value"),
        (asking("What is a lemur?", stream_options={"include_usage": True}), 422, "invalid_value"),
        (asking("What is a lemur?", tool_choice="required"), 422, "invalid_value"),
        (asking("What is a lemur?", tool_choice="surely", tools=[TOOL]), 422, "invalid_value"),
        (asking("What is a lemur?", tool_choice=named("g"), tools=[TOOL]), 422, "invalid_value"),
        (asking("What is a lemur?", tools=[{"type": "retrieval"}]), 422, "invalid_value"),
        (asking("What is a lemur?", response_format={"type": "xml"}), 422, "invalid_value"),
        (asking("What is a lemur?", response_format={"type": "json_schema"}), 422, "invalid_value"),
        (asking("What is a lemur?", frequency_penalty=2.5), 422, "invalid_value"),
        (asking("What is a lemur?", logit_bias={"50": 101}), 422, "invalid_value"),
        (asking("What is a lemur?", nightschool={"unsure": "guess"}), 422, "invalid_value"),
        (asking("What is a lemur?", nightschool={"unsur": "answer"}), 422, "invalid_value"),
        (asking("What is a lemur?", user="u" * 600), 422, "invalid_value"),
        (asking("What is a lemur?", metadata={"conversation_id": 7}), 422, "invalid_value"),
    ],
)
async def test_what_cannot_be_answered_is_refused_with_a_reason(
    client: httpx.AsyncClient, body: object, status: int, code: str
) -> None:
    reply = await client.post(CHAT, json=body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert reply.json()["error"]["message"]
    assert (await client.get("/v1/gaps")).json() == []


async def test_a_name_can_be_looked_up_if_a_chat_may_ask_for_it(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"/v1/models/{TRAINED.name}")).json()["id"] == TRAINED.name
    assert (await client.get("/v1/models/rust")).json()["error"]["code"] == "model_not_found"
    (await client.post(f"/v1/adapters/{TRAINED.name}/promote")).raise_for_status()
    assert (await client.get("/v1/models/rust")).json()["id"] == "rust"


async def test_an_engine_that_is_away_is_a_503_that_asks_to_come_back(serve: Serve, runtime: Runtime) -> None:
    runtime.engine.available = False  # type: ignore[attr-defined]  # the scripted engine's switch
    async with serve(replace(runtime)) as client:
        reply = await client.post(CHAT, json=asking("What is a lemur?"))
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "2")
        assert reply.json()["error"]["code"] == "engine_unavailable"
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["parts"]["engine"] != "ok"
        assert (await client.get("/healthz")).json() == {"status": "alive"}

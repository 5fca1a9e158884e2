"""The log over HTTP: what was asked and answered, filtered, scored and exported."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from agent.feedback.pseudonyms import pseudonym
from graphs.state import Runtime
from memory.records.interactions import Interaction
from tests.graphs.conftest import Clock

CHAT = "/v1/chat/completions"


async def ask(client: httpx.AsyncClient, *contents: str, **fields: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": content} for n, content in enumerate(contents)]
    reply = await client.post(CHAT, json={"messages": messages, **fields})
    return dict(reply.raise_for_status().json())


async def test_a_turn_is_logged_whole(client: httpx.AsyncClient, runtime: Runtime) -> None:
    reply = await ask(client, "Hello!", "Hi there.", "What is a lemur?", user="ada")
    (turn,) = (await client.get("/v1/interactions")).json()
    assert turn["id"] == reply["nightschool"]["run_id"]
    assert [(message["role"], message["content"]) for message in turn["messages"]] == [
        ("user", "Hello!"),
        ("assistant", "Hi there."),
        ("user", "What is a lemur?"),
    ]
    assert (turn["question"], turn["answer"]) == ("What is a lemur?", "a small primate")
    assert (turn["model"], turn["adapter"], turn["domain"]) == ("nightschool", None, "general")
    assert (turn["outcome"], turn["intent"], turn["gap_id"]) == ("answered", "question", None)
    assert turn["uncertainty"]["decision"] == "confident"
    assert turn["prompt_tokens"] == reply["usage"]["prompt_tokens"]
    assert turn["completion_tokens"] == reply["usage"]["completion_tokens"]
    assert turn["max_tokens"] is None
    assert turn["latency_ms"] == 0
    assert turn["unit"] == pseudonym("ada", runtime.pseudonym_key)


async def test_conversation_and_abstentions_are_logged_too(client: httpx.AsyncClient) -> None:
    await ask(client, "Hi")
    gap_id = (await ask(client, "How deep is the Mariana trench?"))["nightschool"]["gap_id"]
    turns = (await client.get("/v1/interactions")).json()
    assert {turn["intent"]: (turn["outcome"], turn["gap_id"]) for turn in turns} == {
        "conversation": ("answered", None),
        "question": ("abstained", gap_id),
    }


async def test_personal_data_is_neither_in_the_log_nor_in_the_gap(client: httpx.AsyncClient) -> None:
    await ask(client, "Call 415-555-0132.", "Whom?", "Who is behind ada.quist@example.com?", user="ada")
    turn = (await client.get("/v1/interactions")).text
    gaps = (await client.get("/v1/gaps")).text
    for text in (turn, gaps):
        assert "quist" not in text
        assert "0132" not in text
    assert "<EMAIL_ADDRESS>" in turn
    assert "<EMAIL_ADDRESS>" in gaps
    assert "<PHONE_NUMBER>" in turn


async def test_turns_are_filtered_by_unit_outcome_domain_and_time(
    client: httpx.AsyncClient, runtime: Runtime, clock: Clock
) -> None:
    async def found(**query: Any) -> list[str]:
        reply = (await client.get("/v1/interactions", params=query)).raise_for_status()
        return [turn["question"] for turn in reply.json()]

    begun_at = clock()
    await ask(client, "What is a lemur?", user="ada")
    clock.advance(60)
    await ask(client, "How deep is the Mariana trench?")
    lemur, trench = ["What is a lemur?"], ["How deep is the Mariana trench?"]
    assert await found() == trench + lemur
    assert await found(limit=1) == trench
    assert await found(unit="ada") == lemur
    assert await found(unit=pseudonym("ada", runtime.pseudonym_key)) == lemur
    assert await found(unit="bob") == []
    assert await found(outcome="abstained") == trench
    assert await found(domain="rust") == []
    later = begun_at + timedelta(seconds=30)
    assert await found(since=later.isoformat()) == trench
    assert await found(until=later.replace(tzinfo=None).isoformat()) == lemur
    assert await found(since="2026-01-01", until="2026-01-02") == trench + lemur
    first = (await client.get("/v1/interactions", params={"limit": 1})).json()[0]["id"]
    assert await found(after=first) == lemur
    assert await found(after=f"chatcmpl-{first}") == lemur


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"since": "yesterday"}, 422),
        ({"since": "2026-01-02", "until": "2026-01-01"}, 400),
        ({"outcome": "guessed"}, 422),
        ({"limit": "0"}, 422),
        ({"limit": "1001"}, 422),
        ({"after": "nowhere"}, 404),
        ({"unit": "a\0"}, 400),
        ({"unit": "u" * 513}, 422),
    ],
    ids=str,
)
async def test_a_bad_filter_is_refused(client: httpx.AsyncClient, query: dict[str, str], status: int) -> None:
    assert (await client.get("/v1/interactions", params=query)).status_code == status


async def test_a_conversation_that_goes_on_scores_its_turns(client: httpx.AsyncClient, clock: Clock) -> None:
    first = await ask(client, "What is a lemur?", user="ada")
    clock.advance(60)
    await ask(client, "What is a lemur?", "a small primate", "Thanks! Where does it live?", user="ada")
    read = (await client.get(f"/v1/interactions/{first['id']}")).json()
    assert read["implicit_score"] == 2


async def test_an_export_has_a_line_for_each_turn_of_the_period_with_its_feedback(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    ids = []
    for _ in range(3):
        ids.append((await ask(client, "What is a lemur?"))["nightschool"]["run_id"])
        clock.advance(60)
    rated = {"interaction_id": ids[1], "rating": 5}
    (await client.post("/v1/feedback", json=rated)).raise_for_status()
    query = {"until": (clock() - timedelta(seconds=60)).isoformat()}
    reply = await client.get("/v1/interactions/export", params=query)
    assert reply.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in reply.text.splitlines()]
    assert [line["id"] for line in lines] == ids[:2]
    assert [[each["value"] for each in line.pop("feedback")] for line in lines] == [[], [5]]
    assert [Interaction.model_validate(line).id for line in lines] == ids[:2]
    assert (await client.get("/v1/interactions/export", params={"since": "2027-01-01"})).text == ""


async def test_text_completions_are_not_logged(client: httpx.AsyncClient) -> None:
    await client.post("/v1/completions", json={"prompt": "What is a"})
    assert (await client.get("/v1/interactions")).json() == []


async def test_a_turn_that_does_not_exist_is_not_found(client: httpx.AsyncClient) -> None:
    for id in ("nowhere", "%00"):
        reply = await client.get(f"/v1/interactions/{id}")
        assert (reply.status_code, reply.json()["error"]["code"]) == (404, "interaction_not_found")

"""Learn runs are started, followed and decided on over HTTP."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from graphs.state import Runtime
from tests.api.conftest import Serve
from tests.graphs.conftest import TRAINED
from tests.support.cards import card


async def ended(learning: httpx.AsyncClient, run_id: str, status: str = "ended") -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            reply: dict[str, Any] = (await learning.get(f"/v1/learn/{run_id}")).raise_for_status().json()
            if reply["status"] == status:
                return reply
            await asyncio.sleep(0.02)


async def started(learning: httpx.AsyncClient, **body: object) -> str:
    reply = await learning.post("/v1/learn", json=body)
    assert reply.status_code == 202
    assert reply.json()["links"]["report"] == f"/v1/learn/{reply.json()['run_id']}"
    assert reply.json()["thread_id"] == reply.json()["run_id"]
    return str(reply.json()["run_id"])


async def test_a_topic_is_learned_and_its_report_can_be_read(learning: httpx.AsyncClient) -> None:
    run_id = await started(learning, topic="Rust ownership")
    reply = await ended(learning, run_id)
    assert reply["outcome"]["status"] == "learned"
    assert reply["report"]["adapter"] == TRAINED.name
    assert reply["lessons"] == reply["outcome"]["lessons"] == {"done": 1, "total": 1}
    (listed,) = (await learning.get("/v1/learn")).json()
    assert (listed["id"], listed["report"]) == (run_id, None)


async def test_events_tell_the_progress_and_can_be_taken_up_again(learning: httpx.AsyncClient) -> None:
    run_id = await started(learning, topic="Rust ownership")
    await ended(learning, run_id)

    async def read(last: str | None = None) -> list[tuple[str, str]]:
        headers = {"Last-Event-ID": last} if last else {}
        text = (await learning.get(f"/v1/learn/{run_id}/events", headers=headers)).raise_for_status().text
        blocks = [block.splitlines() for block in text.replace("\r\n", "\n").split("\n\n") if block]
        return [(b[0].partition(": ")[2], b[1].partition(": ")[2]) for b in blocks if len(b) > 1]

    whole = await read()
    names = [first for first, _ in whole]
    assert whole[-1][0] == "end"
    assert json.loads(whole[-1][1])["outcome"]["status"] == "learned"
    assert names[:-1] == [str(number) for number in range(1, len(whole))]
    assert await read("3") == whole[3:]


@pytest.mark.parametrize("last", ["-1", "x", "9" * 400, "1.5", "٣"])
async def test_a_malformed_last_event_id_is_refused(learning: httpx.AsyncClient, last: str) -> None:
    run_id = await started(learning, topic="Rust ownership")
    headers = [(b"last-event-id", last.encode())]
    assert (await learning.get(f"/v1/learn/{run_id}/events", headers=headers)).status_code == 400


async def test_a_run_waits_for_a_persons_word(learning: httpx.AsyncClient) -> None:
    run_id = await started(learning, topic="Rust ownership", approval="human")
    waiting = await ended(learning, run_id, "waiting")
    assert waiting["asks"]["pairs"] > 0
    assert waiting["lessons"] == {"done": 0, "total": 1}
    no = {"approved": False, "reason": "not now"}
    assert (await learning.post(f"/v1/learn/{run_id}/approval", json=no)).status_code == 202
    assert (await ended(learning, run_id))["outcome"]["status"] == "declined"
    again = await learning.post(f"/v1/learn/{run_id}/approval", json=no)
    assert (again.status_code, again.json()["error"]["code"]) == (400, "invalid_value")


async def test_a_topic_that_no_source_covers_ends_with_nothing_to_learn_from(
    learning: httpx.AsyncClient,
) -> None:
    run_id = await started(learning, question="Who painted the Mona Lisa?")
    reply = await ended(learning, run_id)
    assert reply["outcome"]["status"] == "nothing_to_learn"


async def test_a_gap_is_closed_by_learning_it(learning: httpx.AsyncClient) -> None:
    asked = {"messages": [{"role": "user", "content": "What is a borrow?"}], "model": "nightschool"}
    await learning.post("/v1/chat/completions", json=asked)
    unknown = {"messages": [{"role": "user", "content": "What does a mutable reference return?"}]}
    gap_id = (await learning.post("/v1/chat/completions", json=unknown)).json()["nightschool"]["gap_id"]
    run_id = await started(learning, gap_id=gap_id)
    reply = await ended(learning, run_id)
    gap = (await learning.get(f"/v1/gaps/{gap_id}")).json()
    assert gap["status"] == ("closed" if reply["outcome"]["status"] == "learned" else "open")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"topic": "a", "question": "b"}, 422),
        ({"topic": "x" * 501}, 422),
        ({"topic": "Rust", "domain": "../etc"}, 422),
        ({"topic": "Rust", "approval": "maybe"}, 422),
        ({"topic": "Rust", "surprise": 1}, 422),
        ({"gap_id": "nowhere"}, 404),
    ],
)
async def test_what_cannot_be_learned_is_refused(
    learning: httpx.AsyncClient, body: object, status: int
) -> None:
    reply = await learning.post("/v1/learn", json=body)
    assert (reply.status_code, "message" in reply.json()["error"]) == (status, True)
    assert (await learning.get("/v1/learn")).json() == []


async def test_a_blank_topic_begins_no_run(learning: httpx.AsyncClient) -> None:
    assert (await learning.post("/v1/learn", json={"topic": " "})).status_code == 400
    assert (await learning.get("/v1/learn")).json() == []


async def test_unknown_runs_are_404(learning: httpx.AsyncClient) -> None:
    for path in ("/v1/learn/nowhere", "/v1/learn/nowhere/events", "/v1/gaps/nowhere"):
        assert (await learning.get(path)).status_code == 404
    decision = {"approved": True}
    assert (await learning.post("/v1/learn/nowhere/approval", json=decision)).status_code == 404


async def test_a_model_for_retrieval_only_learns_nothing_and_says_why(serve: Serve, runtime: Runtime) -> None:
    unfit = card(verdict="retrieval only", reasons=("its context is short",))
    async with serve(replace(runtime, card=unfit), learning=True) as client:
        refused = await client.post("/v1/learn", json={"topic": "Rust ownership"})
        thread = (await client.post("/threads", json={})).json()["thread_id"]
        body = {"assistant_id": "learn", "input": {"topic": "Rust ownership"}}
        run = await client.post(f"/threads/{thread}/runs", json=body)
    assert (refused.status_code, run.status_code) == (409, 409)
    assert "retrieval only: its context is short" in refused.json()["error"]["message"]
    assert "its context is short" in run.json()["detail"]


async def test_a_subject_is_stored_without_personal_data(learning: httpx.AsyncClient) -> None:
    run_id = await started(learning, question="Who writes to ada@example.com?")
    await ended(learning, run_id)
    (listed,) = (await learning.get("/v1/learn")).json()
    assert listed["subject"] == "Who writes to <EMAIL_ADDRESS>?"


@pytest.mark.parametrize("web", ["fallback", "always"])
async def test_the_web_is_refused_where_no_search_api_is_configured(
    learning: httpx.AsyncClient, web: str
) -> None:
    """Whichever way the run comes in."""
    asked = {"question": "What is a move?", "web": web}
    for path, body in (("/v1/learn", asked), ("/runs/wait", {"assistant_id": "learn", "input": asked})):
        refused = await learning.post(path, json=body)
        assert refused.status_code in (400, 422), refused.text
        assert "NIGHTSCHOOL_SEARCH_APIS" in refused.text
    assert (await learning.get("/v1/learn")).json() == []


async def test_a_use_of_the_web_that_is_unknown_is_refused(learning: httpx.AsyncClient) -> None:
    refused = await learning.post("/v1/learn", json={"question": "What is a move?", "web": "please"})
    assert refused.status_code == 422


async def test_a_model_that_was_never_asked_to_explore_may_not_drive_a_run(
    learning: httpx.AsyncClient,
) -> None:
    asked = {"question": "What is a move?", "explorer": "model"}
    for path, body in (("/v1/learn", asked), ("/runs/wait", {"assistant_id": "learn", "input": asked})):
        refused = await learning.post(path, json=body)
        assert refused.status_code in (400, 422), refused.text
        assert "nightschool models study test-model" in refused.text
    assert (await learning.get("/v1/learn")).json() == []

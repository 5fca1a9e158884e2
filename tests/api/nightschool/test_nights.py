"""Nights are started, followed, stopped and reported over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from graphs.state import Runtime
from memory.records.nights import Night
from memory.server.keys import ApiKeys
from tests.api.conftest import Serve
from tests.support.interactions import interaction
from tests.support.keys import key_maker
from tests.support.nights import night, score, topic

PATH = "/v1/nights"
BUSY = {"quiet_requests": 1.0, "window_minutes": 240}
"""Options with which a night waits as long as there were five turns in the last minutes."""


@pytest.fixture
async def client(serve: Serve, runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(runtime, learning=True) as opened:
        yield opened


async def disturbed(runtime: Runtime) -> None:
    """Somebody is chatting just now."""
    for number in range(5):
        await runtime.interactions.save(interaction(f"busy{number}", created_at=runtime.clock()))


async def started(client: httpx.AsyncClient, **body: Any) -> Night:
    reply = await client.post(PATH, json=body)
    assert reply.status_code == 202, reply.text
    return Night.model_validate(reply.json())


async def ended(client: httpx.AsyncClient, id: str) -> Night:
    """The night, once it is over."""
    for _ in range(1000):
        found = Night.model_validate((await client.get(f"{PATH}/{id}")).json())
        if found.status not in ("waiting", "running"):
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("the night does not end")


def code(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]["code"]


async def test_a_night_without_turns_is_skipped_and_says_why(client: httpx.AsyncClient) -> None:
    begun = await started(client)
    assert begun.domain == "general"
    over = await ended(client, begun.id)
    assert over.status == "skipped"
    assert over.reason
    (listed,) = (await client.get(PATH, params={"domain": "general"})).json()
    assert (listed["id"], listed["summary"]) == (begun.id, {})
    assert (await client.get(PATH, params={"domain": "rust"})).json() == []


async def test_a_night_that_a_crash_left_behind_blocks_nothing_after_the_start(
    serve: Serve, runtime: Runtime
) -> None:
    await runtime.nights.begin(night("n1"))  # stored, and then the service was killed
    await runtime.nights.acquire("n1")
    async with serve(runtime, learning=True) as client:
        lost = (await client.get(f"{PATH}/n1")).json()
        assert (lost["status"], "the service stopped before" in lost["reason"]) == ("failed", True)
        begun = await started(client, domain="rust")
        assert (await ended(client, begun.id)).status == "skipped"


async def test_one_night_of_a_domain_at_a_time(client: httpx.AsyncClient, runtime: Runtime) -> None:
    await disturbed(runtime)
    first = await started(client, domain="rust", options=BUSY)
    assert code(await client.post(PATH, json={"domain": "rust"})) == (409, "already_exists")
    await client.post(f"{PATH}/{first.id}/stop")
    await started(client, domain="rust")


async def test_a_night_that_waits_is_stopped_once(client: httpx.AsyncClient, runtime: Runtime) -> None:
    await disturbed(runtime)
    begun = await started(client, options=BUSY)
    stopped = (await client.post(f"{PATH}/{begun.id}/stop")).json()
    assert stopped["status"] == "stopped"
    again = await client.post(f"{PATH}/{begun.id}/stop")
    assert (again.status_code, "it has ended (stopped)" in again.json()["error"]["message"]) == (400, True)


async def test_a_night_is_stopped_by_who_started_it_or_an_admin(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await disturbed(runtime)
    key = key_maker(runtime)
    ada, ben, root = await key("ada", "learn"), await key("ben", "learn"), await key("root", "admin")
    for starter, stopper in ((ada, ada), (ada, root), (root, root)):
        begun = await client.post(PATH, json={"options": BUSY}, headers=starter)
        path = f"{PATH}/{begun.raise_for_status().json()['id']}/stop"
        refused = await client.post(path, headers=ben)
        assert code(refused) == (403, "insufficient_scope")
        assert "its owner or an admin" in refused.text
        assert (await client.post(path, headers=stopper)).json()["status"] == "stopped"


async def test_a_learn_key_starts_no_night_that_teaches_what_others_stated(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    key = key_maker(runtime)
    ada, root = await key("ada", "learn"), await key("root", "admin")
    night_input = {"domain": "rust", "options": {"teach_statements": True}}
    run = {"assistant_id": "night", "input": night_input}
    cron = run | {"schedule": "0 2 * * *"}
    for method, path, body in (
        ("POST", PATH, night_input),
        ("PUT", f"{PATH}/schedule", night_input),
        ("POST", "/runs", run),
        ("POST", "/runs/crons", cron),
    ):
        refused = await client.request(method, path, json=body, headers=ada)
        assert (refused.status_code, "only an admin may" in refused.text) == (403, True), path
    assert (await client.post(PATH, json=night_input, headers=root)).status_code == 202


async def test_a_night_that_was_never_queued_can_be_stopped(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await runtime.nights.begin(night("lost"))
    assert (await client.post(f"{PATH}/lost/stop")).json()["status"] == "stopped"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"domain": "No Domain"}, 422),
        ({"since": "yesterday"}, 422),
        ({"since": "2026-03-02", "until": "2026-03-01"}, 400),
        ({"options": {"attempts": 0}}, 422),
        ({"options": {"improvement": 2}}, 422),
        ({"options": {"unknown": 1}}, 422),
        ({"id": "mine"}, 422),
    ],
)
async def test_bad_requests_start_nothing(
    client: httpx.AsyncClient, body: dict[str, Any], status: int
) -> None:
    assert (await client.post(PATH, json=body)).status_code == status
    assert (await client.get(PATH)).json() == []


@pytest.mark.parametrize("path", ["", "/report", "/plot.png"])
async def test_an_unknown_night_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    assert code(await client.get(f"{PATH}/nowhere{path}")) == (404, "night_not_found")
    assert code(await client.post(f"{PATH}/nowhere/stop")) == (404, "night_not_found")


async def test_a_key_for_learning_is_needed(client: httpx.AsyncClient, runtime: Runtime) -> None:
    _, key = await ApiKeys(runtime.database).create("bob", "chat")
    for path in (PATH, f"{PATH}/n1", f"{PATH}/schedule"):
        assert (await client.get(path, headers={"x-api-key": key})).status_code == 403
    run = {"assistant_id": "night", "input": {}}
    assert (await client.post("/runs/wait", json=run, headers={"x-api-key": key})).status_code == 403


async def test_the_report_of_a_night_that_is_not_over_tells_what_is_known(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    begun = await runtime.nights.begin(night())
    await runtime.interactions.save(interaction("i1", created_at=begun.since))
    await runtime.nights.save_scores([score("i1", 9)])
    await runtime.nights.save_topics("n1", [topic()])
    report = (await client.get(f"{PATH}/n1/report")).raise_for_status().json()
    assert (report["turns"], report["brackets"]["high"]) == (1, 1)
    text = await client.get(f"{PATH}/n1/report", params={"format": "markdown"})
    assert text.headers["content-type"].startswith("text/markdown")
    assert "1 answer: 0 low (below 5), 0 middle, 1 high" in text.text
    assert (await client.get(f"{PATH}/n1/report", params={"format": "html"})).status_code == 422


async def test_the_plots_are_a_picture(client: httpx.AsyncClient, runtime: Runtime) -> None:
    await runtime.nights.begin(night())
    for query in ({}, {"figure": "quality"}):
        picture = await client.get(f"{PATH}/n1/plot.png", params=query)
        assert picture.headers["content-type"] == "image/png"
        assert picture.content.startswith(b"\x89PNG")
    assert (await client.get(f"{PATH}/n1/plot.png", params={"figure": "money"})).status_code == 422

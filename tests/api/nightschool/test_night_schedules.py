"""A domain's nights are scheduled at a time of day: one schedule per domain, kept as a cron."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from graphs.state import Runtime
from memory.server.crons import Crons
from memory.server.keys import ApiKeys
from tests.api.conftest import Serve

PATH = "/v1/nights/schedule"


@pytest.fixture
async def client(serve: Serve, runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(runtime, learning=True) as opened:
        yield opened


async def scheduled(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    reply = await client.put(PATH, json={"domain": "rust", **body})
    found: dict[str, Any] = reply.raise_for_status().json()
    return found


async def test_a_schedule_starts_at_its_time_in_its_zone(client: httpx.AsyncClient) -> None:
    made = await scheduled(client, at="02:30", timezone="Europe/Berlin", options={"attempts": 2})
    assert (made["at"], made["timezone"], made["options"]["attempts"]) == ("02:30", "Europe/Berlin", 2)
    assert made["next_start"] == "2026-01-01T02:30:00+01:00"
    (cron,) = (await client.post("/runs/crons/search", json={})).json()
    assert (cron["cron_id"], cron["schedule"]) == (made["cron_id"], "30 2 * * *")
    assert cron["payload"]["input"] == {"domain": "rust", "options": {"attempts": 2}}


async def test_a_schedule_that_is_paused_has_no_next_start_until_it_is_resumed_or_saved_again(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    made = await scheduled(client)
    assert (made["enabled"], made["disabled_reason"]) == (True, None)
    cron = f"/runs/crons/{made['cron_id']}"
    for again in (lambda: client.patch(cron, json={"enabled": True}), lambda: scheduled(client)):
        (await client.patch(cron, json={"enabled": False})).raise_for_status()
        [paused] = (await client.get(PATH)).json()
        assert (paused["enabled"], paused["next_start"]) == (False, None)
        await again()
        [resumed] = (await client.get(PATH)).json()
        assert (resumed["enabled"], resumed["next_start"]) == (True, made["next_start"])
    await Crons(runtime.database).update(
        made["cron_id"], {"enabled": False, "disabled_reason": "its key was revoked"}
    )
    assert (await client.get(PATH)).json()[0]["disabled_reason"] == "its key was revoked"


async def test_a_schedule_of_an_unknown_strategy_is_refused(client: httpx.AsyncClient) -> None:
    reply = await client.put(PATH, json={"domain": "rust", "options": {"strategies": ["guessing"]}})
    assert reply.status_code == 400
    assert "plain_critique" in reply.json()["error"]["message"]
    assert (await client.get(PATH)).json() == []


async def test_a_new_schedule_replaces_that_of_the_same_domain_only(client: httpx.AsyncClient) -> None:
    first = await scheduled(client)
    await scheduled(client, domain="python")
    second = await scheduled(client, at="04:00")
    assert second["cron_id"] == first["cron_id"]
    listed = (await client.get(PATH)).json()
    assert [(each["domain"], each["at"]) for each in listed] == [("python", "02:00"), ("rust", "04:00")]


async def test_an_ended_schedule_is_gone_and_others_stay(client: httpx.AsyncClient) -> None:
    await scheduled(client)
    await scheduled(client, domain="python")
    for _ in range(2):
        assert (await client.delete(PATH, params={"domain": "rust"})).status_code == 204
    assert [each["domain"] for each in (await client.get(PATH)).json()] == ["python"]


async def test_other_crons_are_no_schedules(client: httpx.AsyncClient) -> None:
    other = {"assistant_id": "chat", "schedule": "0 2 * * *", "input": {"messages": "Hi"}}
    (
        await client.post("/runs/crons", json=other | {"metadata": {"schedule_of": "nights"}})
    ).raise_for_status()
    hourly = {"assistant_id": "night", "schedule": "0 * * * *", "input": {"domain": "rust"}}
    (await client.post("/runs/crons", json=hourly)).raise_for_status()
    assert (await client.get(PATH)).json() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"at": "24:00"},
        {"at": "2:00"},
        {"at": "02:00:00"},
        {"timezone": "Mars/Olympus"},
        {"timezone": "../../etc/passwd"},
        {"domain": "No Domain"},
        {"options": {"attempts": 0}},
        {"every": "week"},
    ],
)
async def test_bad_schedules_are_refused(client: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    assert (await client.put(PATH, json={"domain": "rust", **wrong})).status_code == 422
    assert (await client.get(PATH)).json() == []


async def test_a_schedule_is_changed_by_its_owner_and_by_admins(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    keys = ApiKeys(runtime.database)
    steps = (
        ("ada", "learn", 200),
        ("ben", "learn", 403),
        ("ada", "learn", 200),  # another key of hers
        ("root", "admin", 200),
        ("ada", "learn", 403),
    )
    kept = None
    for owner, scope, expected in steps:
        key, text = await keys.create(owner, scope)  # type: ignore[arg-type]
        headers = {"x-api-key": text}
        reply = await client.put(PATH, json={"domain": "rust"}, headers=headers)
        assert reply.status_code == expected, owner
        if expected == 200:
            kept = (None if scope == "admin" else owner, key.id)
        else:
            assert "another owner" in reply.text
            assert (await client.delete(PATH, params={"domain": "rust"}, headers=headers)).status_code == 403
        (cron,) = await Crons(runtime.database).search(owner=None)
        assert (cron.owner, cron.key_id) == kept

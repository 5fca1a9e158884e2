"""Crons fire rarely, for keys that hold, and one at a time; an owner has few of them."""

from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest

from api.compose import Service
from api.langgraph.cron_runs import CronRuns
from api.langgraph.crons import check_schedule
from memory.server import crons
from memory.server.keys import Scope
from tests.api.conftest import Serve

LEMUR = {"messages": [{"role": "user", "content": "What is a lemur?"}]}
DAILY = {"assistant_id": "chat", "schedule": "0 3 * * *", "input": LEMUR}


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(learning=True) as opened:
        yield opened


def service_of(client: httpx.AsyncClient) -> Service:
    return cast(Service, cast(Any, client)._transport.app.state.service)


def firing(client: httpx.AsyncClient) -> CronRuns:
    service = service_of(client)
    return CronRuns(service.run_service, service.crons, service.keys)


async def key(client: httpx.AsyncClient, owner: str, scope: Scope = "chat") -> tuple[str, dict[str, str]]:
    service = service_of(client)
    made, text = await service.keys.create(owner, scope)
    return made.id, {"x-api-key": text}


async def create(client: httpx.AsyncClient, headers: dict[str, str], **fields: Any) -> str:
    made = await client.post("/runs/crons", json=DAILY | fields, headers=headers)
    assert made.status_code == 200, made.text
    return str(made.json()["cron_id"])


async def listed(client: httpx.AsyncClient, headers: dict[str, str]) -> dict[str, Any]:
    (cron,) = (await client.post("/runs/crons/search", json={}, headers=headers)).json()
    return cast(dict[str, Any], cron)


@pytest.mark.parametrize(
    "schedule",
    ["* * * * * *", "*/30 * * * * *", "0,1 0 3 * * *", "0-59 0 3 1 1 *", "R * * * * *", "0,30 0 0 1 1 *"],
)
async def test_a_schedule_below_a_minute_is_refused_with_what_to_send(
    client: httpx.AsyncClient, schedule: str
) -> None:
    refused = await client.post("/runs/crons", json=DAILY | {"schedule": schedule})
    assert refused.status_code == 422
    if not schedule.startswith("R"):
        assert "once a minute" in refused.text


@pytest.mark.parametrize("schedule", ["* * * * *", "30 */5 * * * *", "0 0 3 * * *"])
def test_a_schedule_of_a_minute_or_more_is_taken(schedule: str) -> None:
    assert check_schedule(schedule) == schedule


async def test_an_owner_has_a_quota_and_others_have_theirs(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crons, "MAX_PER_OWNER", 2)
    _, ann = await key(client, "ann")
    _, bob = await key(client, "bob")
    cron_id = await create(client, ann)
    await create(client, ann)
    refused = await client.post("/runs/crons", json=DAILY, headers=ann)
    assert refused.status_code == 429
    assert "delete one first" in refused.text
    await create(client, bob)
    assert (await client.delete(f"/runs/crons/{cron_id}", headers=ann)).status_code == 204
    await create(client, ann)


async def test_a_cron_fires_with_its_key_and_is_disabled_once_that_is_revoked(
    client: httpx.AsyncClient,
) -> None:
    key_id, ann = await key(client, "ann")
    _, other = await key(client, "ann")
    cron_id = await create(client, ann)
    await firing(client).fire(cron_id, "first")
    run_id = (await service_of(client).crons.get(cron_id)).last_run_id
    assert run_id is not None
    await service_of(client).executor.wait(run_id)
    await service_of(client).keys.revoke(key_id)
    await firing(client).fire(cron_id, "second")
    cron = await listed(client, other)
    assert (cron["enabled"], cron["last_run_id"], cron["next_run_date"]) == (False, run_id, None)
    assert "revoked" in cron["disabled_reason"]
    enabled = await client.patch(f"/runs/crons/{cron_id}", json={"enabled": True}, headers=other)
    assert (enabled.json()["enabled"], enabled.json()["disabled_reason"]) == (True, None)
    await firing(client).fire(cron_id, "third")
    assert (await service_of(client).crons.get(cron_id)).last_run_id != run_id


@pytest.mark.parametrize("change", [{"enabled": False}, {"enabled": True}, {"schedule": "0 4 * * *"}])
async def test_an_admins_change_leaves_a_cron_its_owners_key(
    client: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    key_id, ann = await key(client, "ann")
    _, admin = await key(client, "root", "admin")
    cron_id = await create(client, ann)
    (await client.patch(f"/runs/crons/{cron_id}", json=change, headers=admin)).raise_for_status()
    cron = await service_of(client).crons.get(cron_id)
    assert (cron.owner, cron.key_id) == ("ann", key_id)
    other_id, other = await key(client, "ann")
    (await client.patch(f"/runs/crons/{cron_id}", json=change, headers=other)).raise_for_status()
    assert (await service_of(client).crons.get(cron_id)).key_id == other_id


async def test_a_cron_that_was_made_before_there_were_keys_is_disabled(client: httpx.AsyncClient) -> None:
    cron_id = await create(client, {})
    _, admin = await key(client, "root", "admin")
    service_of(client).keys._required.clear()
    await firing(client).fire(cron_id, "first")
    assert not (await listed(client, admin))["enabled"]


async def test_a_key_without_the_scope_of_the_graph_fires_nothing(client: httpx.AsyncClient) -> None:
    _, learner = await key(client, "ann", "learn")
    chat_key, chatter = await key(client, "ann")
    learning = {"assistant_id": "learn", "input": {"topic": "Rust"}}
    cron_id = await create(client, learner, **learning)
    await service_of(client).crons.update(cron_id, {"key_id": chat_key})
    await firing(client).fire(cron_id, "first")
    cron = await listed(client, chatter)
    assert not cron["enabled"]
    assert "scope learn" in cron["disabled_reason"]


async def test_a_firing_is_left_out_while_the_last_run_is_unfinished_and_counted(
    client: httpx.AsyncClient,
) -> None:
    _, ann = await key(client, "ann")
    cron_id = await create(client, ann, after_seconds=3600)
    fire = firing(client).fire
    await fire(cron_id, "first")
    run_id = (await service_of(client).crons.get(cron_id)).last_run_id
    assert run_id is not None
    await fire(cron_id, "first")  # again, as after a crash
    await fire(cron_id, "second")
    await fire(cron_id, "third")
    cron = await listed(client, ann)
    assert (cron["skipped"], cron["last_run_id"]) == (2, run_id)
    await service_of(client).executor.cancel(run_id)
    await fire(cron_id, "fourth")
    assert (await listed(client, ann))["last_run_id"] != run_id

"""Skew is read over HTTP by who may teach, within what the caller may read."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from graphs.state import Runtime
from tests.api.conftest import Serve
from tests.support.interactions import interaction
from tests.support.keys import key_maker

PATH = "/v1/skew"


@pytest.fixture
async def client(serve: Serve, runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    now = runtime.clock()
    for number, owner in enumerate(("ada", "ada", "ben")):
        await runtime.interactions.save(
            interaction(f"i{number}", owner=owner, unit=f"u{number}", created_at=now - timedelta(days=number))
        )
    async with serve(runtime) as opened:
        yield opened


def asked(reply: httpx.Response) -> dict[str, int]:
    found: dict[str, Any] = reply.raise_for_status().json()
    return {aspect["aspect"]: aspect["asked"] for aspect in found["aspects"]}


async def test_an_admin_sees_all_turns_and_others_their_own(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    key = key_maker(runtime)
    root, ada = await key("root", "admin"), await key("ada", "learn")
    domain = {"domain": "rust"}
    runtime.clock.advance(1)  # type: ignore[attr-defined]
    assert asked(await client.get(PATH, params=domain, headers=root))["users"] == 3
    assert asked(await client.get(PATH, params=domain, headers=ada))["users"] == 2
    chat = await client.get(PATH, params=domain, headers=await key("eve", "chat"))
    assert chat.status_code == 403


async def test_a_closed_domain_does_not_exist_for_others(client: httpx.AsyncClient, runtime: Runtime) -> None:
    key = key_maker(runtime)
    ada, ben = await key("ada", "learn"), await key("ben", "learn")
    await runtime.grants.add("ben", "rust")
    assert asked(await client.get(PATH, params={"domain": "rust"}, headers=ada)) == {}
    assert asked(await client.get(PATH, params={"domain": "rust"}, headers=ben))["languages"] == 1


async def test_the_period_is_thirty_days_unless_told_otherwise(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    now = runtime.clock()
    await runtime.interactions.save(interaction("old", created_at=now - timedelta(days=31)))
    whole = await client.get(PATH, params={"domain": "rust", "since": "2020-01-01"})
    month = await client.get(PATH, params={"domain": "rust"})
    day = await client.get(PATH, params={"domain": "rust", "since": (now - timedelta(hours=30)).isoformat()})
    assert [asked(each)["languages"] for each in (whole, month, day)] == [3, 2, 1]
    assert (await client.get(PATH, params={"since": "2999-01-01"})).status_code == 400
    assert (await client.get(PATH, params={"domain": "No Domain"})).status_code == 422
    assert (await client.get(PATH)).json()["domain"] == "general"

"""Attacks are listed over HTTP for who may teach the domain."""

from collections.abc import AsyncIterator

import httpx
import pytest

from graphs.state import Runtime
from memory.nights.attacks import Attacks
from tests.api.conftest import Serve
from tests.support.interactions import interaction
from tests.support.keys import key_maker
from tests.support.nights import attack


@pytest.fixture
async def client(serve: Serve, runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    await runtime.interactions.save(interaction("i1"))
    for each in (attack("x1"), attack("x2", result="held"), attack("x3", night_id="n2", domain="python")):
        await Attacks(runtime.database).save(each)
    async with serve(runtime) as opened:
        yield opened


async def test_attacks_are_filtered(client: httpx.AsyncClient) -> None:
    async def ids(**params: str) -> set[str]:
        return {
            each["id"] for each in (await client.get("/v1/attacks", params=params)).raise_for_status().json()
        }

    assert await ids() == {"x1", "x2", "x3"}
    assert await ids(night_id="n1", result="fell") == {"x1"}
    assert await ids(domain="python") == {"x3"}
    assert (await client.get("/v1/attacks", params={"result": "won"})).status_code == 422


async def test_attacks_of_a_closed_domain_are_seen_with_a_grant(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    key = key_maker(runtime)
    ada, ben = await key("ada", "learn"), await key("ben", "learn")
    await runtime.grants.add("ben", "python")
    assert len((await client.get("/v1/attacks", headers=ada)).json()) == 2
    assert len((await client.get("/v1/attacks", headers=ben)).json()) == 3
    assert (await client.get("/v1/attacks", headers=await key("eve", "chat"))).status_code == 403

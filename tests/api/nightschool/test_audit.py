"""The audit log is read by admins alone, and what they do is in it before it is done."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from graphs.state import Runtime
from memory.server.keys import SCOPES, ApiKeys
from tests.api.conftest import Serve

PATH = "/v1/audit"


@pytest.fixture
async def client(serve: Serve, runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(runtime) as opened:
        yield opened


async def rows(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    reply = (await client.get(PATH, params=query)).raise_for_status()
    assert reply.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in reply.text.splitlines()]


async def test_rows_are_read_a_page_at_a_time_and_filtered(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    for number in range(5):
        await runtime.audit.record("promote", by="ann" if number % 2 else "bob", subject=f"a{number}")
    page = await rows(client, limit=2)
    assert [row["subject"] for row in page] == ["a0", "a1"]
    assert [row["subject"] for row in await rows(client, after=page[-1]["number"])] == ["a2", "a3", "a4"]
    assert [row["subject"] for row in await rows(client, by="ann")] == ["a1", "a3"]
    assert await rows(client, action="rollback") == []
    assert await rows(client, since="9999-12-31T23:59:59-14:00") == []
    assert len(await rows(client, since="0001-01-01T00:00:00+14:00")) == 5


async def test_a_log_that_is_intact_says_so(client: httpx.AsyncClient, runtime: Runtime) -> None:
    await runtime.audit.record("promote", by="ann", subject="a1")
    assert (await client.get(f"{PATH}/verification")).json() == {"rows": 1, "problem": None}


@pytest.mark.parametrize("path", [PATH, f"{PATH}/verification"])
async def test_only_admins_read_it(client: httpx.AsyncClient, runtime: Runtime, path: str) -> None:
    statuses = {}
    for scope in SCOPES:
        _, text = await ApiKeys(runtime.database).create("ann", scope)
        reply = await client.get(path, headers={"x-api-key": text})
        statuses[scope] = reply.status_code
    assert statuses == {scope: 200 if scope == "admin" else 403 for scope in SCOPES}

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
    assert await rows(client, since="2999-12-31T23:59:59-14:00") == []
    assert len(await rows(client, since="1900-01-01T00:00:00+14:00")) == 5


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


DIGEST = "0" * 64
ACTS: list[tuple[str, str, str, dict[str, Any] | None, str]] = [
    ("adapter.promote", "POST", "/v1/adapters/rust-v9-01234567/promote", None, "rust-v9-01234567"),
    ("adapter.rollback", "POST", "/v1/adapters/rollback", {"domain": "rust"}, "rust"),
    ("experiment.stop", "POST", "/v1/experiments/e1/stop", {"reason": "over"}, "e1"),
    ("experiment.change", "POST", "/v1/experiments/e1/coverage", {"coverage": 0.5}, "e1"),
    (
        "gate.calibrate",
        "POST",
        "/v1/calibrations",
        {"domain": "general", "questions": [{"question": "What is a lemur?", "answers": ["a primate"]}]},
        "general",
    ),
]


@pytest.mark.parametrize(("action", "method", "path", "body", "subject"), ACTS)
async def test_an_act_is_recorded_by_the_name_of_the_key_even_if_it_fails(
    client: httpx.AsyncClient,
    runtime: Runtime,
    action: str,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    subject: str,
) -> None:
    _, text = await ApiKeys(runtime.database).create("ann", "admin")
    reply = await client.request(method, path, json=body, headers={"x-api-key": text})
    assert reply.status_code < 500
    recorded = [row for row in await runtime.audit.list() if row.by == "ann"]
    assert (recorded[0].action, recorded[0].subject) == (action, subject)
    failures = [row.action for row in recorded[1:]]
    assert failures == ([] if reply.is_success else [f"{action}.failed"])


async def test_an_experiment_that_is_started_is_recorded(client: httpx.AsyncClient, runtime: Runtime) -> None:
    body = {"domain": "general", "variants": [{"name": "brief", "system_prompt": "Be brief."}]}
    reply = await client.post("/v1/experiments", json=body)
    recorded = (await runtime.audit.list())[0]
    assert (recorded.action, recorded.by) == ("experiment.start", "local operator")
    assert not reply.is_success or reply.json()["id"] == recorded.subject


async def test_a_person_who_is_forgotten_is_not_named_in_the_log(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await client.delete("/v1/statements", params={"unit": "ann@example.org"})
    (row,) = await runtime.audit.list()
    assert row.action == "memory.forget"
    assert "example.org" not in row.model_dump_json()


async def test_a_change_of_what_everybody_shares_is_recorded_and_of_ones_own_is_not(
    learning: httpx.AsyncClient, runtime: Runtime
) -> None:
    keys = ApiKeys(runtime.database)
    admin = {"x-api-key": (await keys.create("root", "admin"))[1]}
    headers = {"x-api-key": (await keys.create("ann", "learn"))[1]}
    (shipped,) = (await learning.post("/assistants/search", json={"graph_id": "chat"}, headers=admin)).json()
    path = f"/assistants/{shipped['assistant_id']}"
    assert (await learning.patch(path, json={"name": "brief"}, headers=admin)).is_success
    (row,) = await runtime.audit.list(action="assistant.change")
    assert (row.by, row.subject) == ("root", shipped["assistant_id"])

    body = {"graph_id": "chat", "name": "mine"}
    own = await learning.post("/assistants", json=body, headers=headers)
    own_path = f"/assistants/{own.json()['assistant_id']}"
    assert (await learning.patch(own_path, json={"name": "still mine"}, headers=headers)).is_success
    assert (await learning.patch(path, json={"name": "hers"}, headers=headers)).status_code == 403
    assert await runtime.audit.list(after=row.number) == ()

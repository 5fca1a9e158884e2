"""A stateless run is its owner's, also while its expired thread waits for its deletion."""

from typing import Any, cast

import httpx
import pytest

from graphs.server import executor as executing
from memory.server.keys import ApiKeys, Scope
from tests.api.conftest import Serve

LEMUR = {"messages": [{"role": "user", "content": "What is a lemur?"}]}


async def key(client: httpx.AsyncClient, owner: str, scope: Scope = "chat") -> dict[str, str]:
    keys: ApiKeys = cast(Any, client)._transport.app.state.service.keys
    _, text = await keys.create(owner, scope)
    return {"x-api-key": text}


async def test_another_owner_neither_reads_nor_deletes_a_stateless_run_that_has_ended(
    learning: httpx.AsyncClient,
) -> None:
    ann, bob = await key(learning, "ann"), await key(learning, "bob")
    run = (await learning.post("/runs", json={"assistant_id": "chat", "input": LEMUR}, headers=ann)).json()
    path = f"/threads/{run['thread_id']}/runs/{run['run_id']}"
    assert (await learning.get(f"{path}/join", headers=ann)).status_code == 200
    assert (await learning.get(f"/threads/{run['thread_id']}", headers=ann)).status_code == 404, "it expired"
    reads = ("", "/join", "/stream")
    assert {(await learning.get(path + read, headers=bob)).status_code for read in reads} == {404}
    assert (await learning.delete(path, headers=bob)).status_code == 404
    body = {"assistant_id": "chat", "input": LEMUR}
    assert (await learning.post(path.rpartition("/")[0], json=body, headers=bob)).status_code == 404
    assert (await learning.get(path, headers=ann)).status_code == 200
    assert (await learning.delete(path, headers=ann)).status_code == 204


async def test_an_owner_with_many_unfinished_learn_runs_starts_no_more(
    learning: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executing, "QUOTAS", {"learn": 0})
    ann = await key(learning, "ann", "learn")
    refused = await learning.post("/v1/learn", json={"topic": "Rust"}, headers=ann)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "quota_reached")
    assert "wait for one, or cancel one" in refused.text
    (run,) = await cast(Any, learning)._transport.app.state.service.runtime.database.runs()
    assert run.status == "stopped", "no run stays that nothing works on"


async def test_each_run_of_a_batch_counts_as_a_request(serve: Serve) -> None:
    async with serve(learning=True, rate_requests=3) as client:
        ann = await key(client, "ann")
        batch = [{"assistant_id": "chat", "input": LEMUR}] * 4
        refused = await client.post("/runs/batch", json=batch, headers=ann)
        assert (refused.status_code, "requests a minute" in refused.text) == (429, True)
        assert (await client.post("/runs/batch", json=batch[:2], headers=ann)).status_code == 200
        assert (await client.get("/v1/models", headers=ann)).status_code == 429

"""What clients store on threads has limits, and no page of it fills the memory of the service."""

from typing import Any

import httpx
import pytest

from memory.database import page_size
from memory.server.threads import MOST_METADATA_BYTES

LARGE = "x" * 60_000
RUN = {"assistant_id": "chat", "input": {"messages": [{"role": "user", "content": "Hi there"}]}}


async def test_metadata_of_a_thread_does_not_grow_without_limit(learning: httpx.AsyncClient) -> None:
    made = await learning.post("/threads", json={"metadata": {"a": LARGE}})
    thread = made.json()["thread_id"]
    for refused in (
        await learning.post("/threads", json={"metadata": {"a": "x" * MOST_METADATA_BYTES}}),
        await learning.patch(f"/threads/{thread}", json={"metadata": {"b": LARGE}}),
    ):
        assert (refused.status_code, "store large values" in refused.json()["detail"]) == (422, True)
    assert (await learning.patch(f"/threads/{thread}", json={"metadata": {"a": "y"}})).status_code == 200


@pytest.mark.parametrize("search", [{}, {"metadata": {"a": "b"}}, {"values": {"intent": "conversation"}}])
async def test_a_page_of_threads_that_would_be_too_large_is_refused(
    learning: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, search: dict[str, Any]
) -> None:
    for _ in range(4):
        thread = (await learning.post("/threads", json={"metadata": {"a": "b", "c": LARGE}})).json()[
            "thread_id"
        ]
        await learning.post(f"/threads/{thread}/runs/wait", json=RUN)
    monkeypatch.setattr(page_size, "MOST_BYTES", 150_000)
    refused = await learning.post("/threads/search", json=search)
    assert (refused.status_code, "with `limit`" in refused.json()["detail"]) == (422, True)
    page = (await learning.post("/threads/search", json=search | {"limit": 2, "offset": 1})).json()
    assert len(page) == 2


async def test_a_page_of_runs_or_states_that_would_be_too_large_is_refused(
    learning: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = (await learning.post("/threads", json={})).json()["thread_id"]
    for _ in range(2):
        run = await learning.post(f"/threads/{thread}/runs/wait", json=RUN | {"metadata": {"a": LARGE}})
        assert run.status_code == 200
    for path, most in (("runs", 100_000), ("history", 1000)):
        monkeypatch.setattr(page_size, "MOST_BYTES", most)
        refused = await learning.get(f"/threads/{thread}/{path}")
        assert (refused.status_code, "with `limit`" in refused.json()["detail"]) == (422, True)
    monkeypatch.setattr(page_size, "MOST_BYTES", 70_000)
    assert len((await learning.get(f"/threads/{thread}/runs", params={"limit": 1})).json()) == 1

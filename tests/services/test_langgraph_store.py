"""What clients keep is found again by name, by value and by meaning, on every database."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import UnprocessableEntityError

from graphs.state import Runtime
from memory.database.database import open_database
from memory.embedding.embedder import HashingEmbedder
from memory.server.keys import ApiKeys
from memory.server.store import ITEM_BYTES, open_item_store, owner_label
from tests.graphs.conftest import clock, runtime
from tests.support.databases import database_url, empty_runs, home, on_database, postgresql, template
from tests.support.langgraph_server import serving

__all__ = ["clock", "database_url", "empty_runs", "home", "postgresql", "runtime", "template"]
pytestmark = pytest.mark.services


@pytest.fixture
async def given(runtime: Runtime, database_url: str) -> AsyncIterator[Runtime]:
    """The runtime on the database of the test."""
    database = await open_database(database_url)
    yield on_database(runtime, database)
    await database.aclose()


@pytest.fixture
async def url(given: Runtime, home: Path, database_url: str) -> AsyncIterator[str]:
    async with serving(given, home, database_url) as address:
        yield address


@pytest.fixture
async def client(url: str) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=url) as opened:
        yield opened


async def test_an_item_is_kept_replaced_and_deleted(client: LangGraphClient) -> None:
    await client.store.put_item(["users", "ada"], key="likes", value={"food": "figs"})
    await client.store.put_item(["users", "ada"], key="likes", value={"food": "dates"})
    item: Any = await client.store.get_item(["users", "ada"], key="likes")
    assert (item["namespace"], item["key"], item["value"]) == (["users", "ada"], "likes", {"food": "dates"})
    await client.store.delete_item(["users", "ada"], key="likes")
    assert await client.store.get_item(["users", "ada"], key="likes") is None
    await client.store.delete_item(["users", "ada"], key="likes")


async def test_items_are_found_by_prefix_value_and_meaning(client: LangGraphClient) -> None:
    for key, said in (("1", "a borrow is a reference"), ("2", "figs are sweet fruit")):
        await client.store.put_item(["notes", "ada"], key=key, value={"said": said})
    await client.store.put_item(["notes", "bob"], key="3", value={"said": "rain"}, index=False)
    found: Any = await client.store.search_items(["notes", "ada"], query="sweet figs")
    assert [item["key"] for item in found["items"]] == ["2", "1"]
    assert found["items"][0]["score"] > found["items"][1]["score"]
    by_value: Any = await client.store.search_items(["notes"], filter={"said": "rain"})
    assert [item["key"] for item in by_value["items"]] == ["3"]
    places = await client.store.list_namespaces(prefix=["notes"])
    assert sorted(places["namespaces"]) == [["notes", "ada"], ["notes", "bob"]]
    assert (await client.store.list_namespaces(max_depth=1))["namespaces"] == [["notes"]]


async def test_an_owner_sees_no_other_ones_items(given: Runtime, url: str) -> None:
    _, ada = await ApiKeys(given.database).create("ada", "chat")
    _, bob = await ApiKeys(given.database).create("bob", "chat")
    async with get_client(url=url, api_key=ada) as hers, get_client(url=url, api_key=bob) as his:
        await hers.store.put_item(["notes"], key="1", value={"said": "hers"})
        assert await his.store.get_item(["notes"], key="1") is None
        assert (await his.store.list_namespaces())["namespaces"] == []


@pytest.mark.parametrize("namespace", [[], ["a.b"], [""]])
async def test_a_namespace_that_cannot_be_is_refused(client: LangGraphClient, namespace: list[str]) -> None:
    body = {"namespace": namespace, "key": "1", "value": {}}
    with pytest.raises(UnprocessableEntityError):
        await client.http.put("/store/items", json=body)


async def test_an_owner_may_have_any_name(given: Runtime, url: str) -> None:
    _, key = await ApiKeys(given.database).create("ada.l@example.org", "chat")
    async with get_client(url=url, api_key=key) as client:
        await client.store.put_item(["notes"], key="1", value={"said": "hers"})
        found: Any = await client.store.search_items(["notes"], query="hers")
        assert [item["key"] for item in found["items"]] == ["1"]


async def test_a_field_is_indexed_once(client: LangGraphClient) -> None:
    for index in (["a", "a"], ["a", "a.0"], [""]):
        with pytest.raises(UnprocessableEntityError, match="index"):
            await client.store.put_item(["notes"], key="1", value={"a": "x"}, index=index)


@pytest.mark.parametrize("value", [{"n": 2**63}, {"text": "a\0b"}])
async def test_what_no_store_can_hold_is_refused(client: LangGraphClient, value: dict[str, object]) -> None:
    with pytest.raises(UnprocessableEntityError, match="cannot be stored"):
        await client.store.put_item(["notes"], key="1", value=value)
    with pytest.raises(UnprocessableEntityError, match="cannot be stored"):
        await client.store.get_item(["notes"], key="a\0b")
    await client.store.put_item(["notes"], key="1", value={"n": 2**63 - 1})
    item: Any = await client.store.get_item(["notes"], key="1")
    assert item["value"] == {"n": 2**63 - 1}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_postgresql_without_pgvector_keeps_items_and_says_that_it_cannot_search_by_meaning(
    given: Runtime, home: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_pgvector(_: object) -> bool:
        return False

    monkeypatch.setattr("memory.server.store._has_pgvector", no_pgvector)
    async with serving(given, home, database_url) as address:
        store = get_client(url=address).store
        await store.put_item(["notes"], key="one", value={"text": "a red lamp"})
        assert [item["key"] for item in (await store.search_items(["notes"]))["items"]] == ["one"]
        with pytest.raises(UnprocessableEntityError, match="lacks pgvector"):
            await store.search_items(["notes"], query="a light")


async def test_what_the_items_of_one_owner_take_is_counted(database_url: str) -> None:
    async with open_item_store(database_url, HashingEmbedder()) as store:
        for owner in ("a_b", "axb", "a_b c", "a%b"):
            for key in ("1", "2"):
                await store.aput((owner_label(owner), "notes"), key, {"said": "\u00e4" * 100})
        label = owner_label("a_b")
        none = await store.stored_bytes(owner_label("nobody"), ("", ""))
        both = await store.stored_bytes(label, (f"{label}.notes", "3"))
        one = await store.stored_bytes(label, (f"{label}.notes", "1"))
    assert none == 0
    assert both == 2 * one
    assert ITEM_BYTES + 200 < one < ITEM_BYTES + 250

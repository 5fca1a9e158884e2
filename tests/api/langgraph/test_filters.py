"""Filters with keys and values that no store understands are refused or match nothing; none is a 5xx."""

from typing import Any

import httpx
import pytest

KEYS = (
    "..",
    ".",
    "a..b",
    "a.",
    ".a",
    "",
    "$",
    "a[0]",
    "a'b",
    'a"b',
    "a b",
    "a\n",
    "%",
    "*",
    "\\",
    "é",
    "a" * 5000,
)
VALUES: tuple[Any, ...] = (
    None, True, 1.5, 2**63 - 1, "", [], [1], {}, {"$eq": []}, {"$gt": [1]}, {"$gt": {}}, {"$lt": None},
    {"$ne": {"a": 1}}, {"$nothing": 1}, {"a": {"b": {}}}, {"..": 1},
)  # fmt: skip
SEARCHES = (
    ("/threads/search", "metadata"),
    ("/threads/search", "values"),
    ("/threads/count", "metadata"),
    ("/assistants/search", "metadata"),
    ("/assistants/count", "metadata"),
    ("/runs/crons/search", "metadata"),
    ("/runs/crons/count", "metadata"),
    ("/store/items/search", "filter"),
)


@pytest.mark.parametrize(("path", "field"), SEARCHES)
async def test_no_key_and_no_value_of_a_filter_breaks_a_search(
    learning: httpx.AsyncClient, path: str, field: str
) -> None:
    await learning.post("/threads", json={"metadata": {"a": {"b": 1}}})
    item = {"namespace": ["n"], "key": "k", "value": {"a": {"b": 1}, "s": "text"}}
    assert (await learning.put("/store/items", json=item)).status_code == 204
    more = {"namespace_prefix": []} if field == "filter" else {}
    filters = [{key: "x"} for key in KEYS] + [{"a": value} for value in VALUES]
    for wanted in filters:
        found = await learning.post(path, json={field: wanted, **more})
        assert found.status_code in (200, 422), (wanted, found.text)


async def test_a_field_within_a_field_is_still_found(learning: httpx.AsyncClient) -> None:
    item = {"namespace": ["n"], "key": "k", "value": {"a-1": {"b_2": 1}}}
    await learning.put("/store/items", json=item)
    found = await learning.post(
        "/store/items/search", json={"namespace_prefix": ["n"], "filter": {"a-1.b_2": 1}}
    )
    assert [each["key"] for each in found.json()["items"]] == ["k"]

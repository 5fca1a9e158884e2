"""The library leaves as one file and comes back from it, whole or not at all."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from graphs.state import Runtime
from memory.records.access import EVERYTHING
from tests.support.documents import fact, passage

THEN = datetime(2026, 5, 1, tzinfo=UTC)
Change = Callable[[dict[str, Any]], object]


async def clear(runtime: Runtime) -> None:
    for each in await runtime.episodic.documents(access=EVERYTHING):
        await runtime.episodic.remove(each.source, domain=each.domain, owner=each.owner)
        await runtime.semantic.remove(each.source, domain=each.domain, owner=each.owner)


async def fill(runtime: Runtime) -> None:
    await clear(runtime)
    for owner, domain in ((None, "rust"), ("ann", "rust"), (None, "bread")):
        text = passage(f"A thing of {owner} in {domain}.", owner=owner, domain=domain)
        known = fact("thing", f"{domain} of {owner}", owner=owner, domain=domain, passage_id=text.id)
        await runtime.episodic.add([text.model_copy(update={"added_at": THEN})])
        await runtime.semantic.add([known.model_copy(update={"observed_at": THEN})])


async def exported(client: httpx.AsyncClient, **query: str) -> list[str]:
    reply = (await client.get("/v1/memory/export", params=query)).raise_for_status()
    return reply.text.splitlines()


async def test_what_was_exported_and_forgotten_is_imported_as_it_was(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await fill(runtime)
    lines = await exported(client)
    assert len(lines) == 3
    before = (await client.get("/v1/memory/stats")).json()
    assert before["domains"] == {"bread": 1, "rust": 2}
    assert (before["documents"], before["passages"], before["facts"], before["owners"]) == (3, 3, 3, 1)
    await clear(runtime)
    for stored in ("documents", "unchanged"):  # the second time nothing changes
        for line in lines:
            report = (await client.post("/v1/memory/import", content=line)).raise_for_status().json()
            assert report[stored] == 1
        assert await exported(client) == lines
    assert (await client.get("/v1/memory/stats")).json() == before


async def test_one_domain_is_exported_alone(client: httpx.AsyncClient, runtime: Runtime) -> None:
    await fill(runtime)
    (line,) = await exported(client, domain="bread")
    assert json.loads(line)["domain"] == "bread"
    assert await exported(client, domain="none") == []


def _of(**fields: object) -> Change:
    return lambda line: line.update(fields)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (_of(source="other.md"), "another document"),
        (_of(owner="eve"), "another document"),
        (_of(domain="No Domain"), "domain"),
        (_of(passages=[]), "passages"),
        (_of(extra=1), "extra"),
        (lambda line: line["passages"][0].update(text="Forged."), "digest"),
        (lambda line: line["facts"][0].update(passage_id="elsewhere"), "none of the document's passages"),
        (lambda line: line["facts"][0].update(said_by="ann"), "none of the document's passages"),
    ],
)
async def test_a_line_that_does_not_fit_together_is_refused_and_stores_nothing(
    client: httpx.AsyncClient, runtime: Runtime, change: Change, problem: str
) -> None:
    await fill(runtime)
    line = json.loads((await exported(client, domain="bread"))[0])
    await runtime.episodic.remove("a.md", domain="bread")
    change(line)
    reply = await client.post("/v1/memory/import", content=json.dumps(line))
    assert reply.status_code == 400
    assert problem in reply.json()["error"]["message"]
    assert len(await runtime.episodic.documents(access=EVERYTHING)) == 2


@pytest.mark.parametrize("body", ["", "{", "[" * 10_000, "null", "\x00", '{"source": 1e999}'])
async def test_what_is_no_line_of_an_export_is_refused(client: httpx.AsyncClient, body: str) -> None:
    assert (await client.post("/v1/memory/import", content=body)).status_code == 400


async def test_a_document_is_shown_with_its_passages_and_facts(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    await fill(runtime)
    shown = (await client.get("/v1/documents/contents?source=a.md&domain=bread")).json()
    assert [each["text"] for each in shown[0]["passages"]] == ["A thing of None in bread."]
    assert [each["object"] for each in shown[0]["facts"]] == ["bread of None"]
    assert (await client.get("/v1/documents/contents?source=b.md")).json() == []

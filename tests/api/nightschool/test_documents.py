"""Documents are taken in as bytes, once, and refused with a reason where they cannot be read."""

import httpx
import pytest

from agent.settings import Settings
from graphs.state import Runtime
from memory.ingest.documents import MAX_BYTES
from memory.records.access import EVERYTHING

TEXT = (
    b"# Lamps\n\nA zorble is a small green lamp that burns oil. A zorble prevents darkness in small rooms.\n"
)
MARKDOWN = {"Content-Type": "text/markdown"}


async def post(
    client: httpx.AsyncClient, data: bytes, kind: str = "text/markdown", **query: str
) -> httpx.Response:
    params = {"source": "lamps.md", "domain": "lamps", **query}
    return await client.post("/v1/documents", params=params, content=data, headers={"Content-Type": kind})


async def test_a_document_becomes_passages_and_facts_once(client: httpx.AsyncClient) -> None:
    first = (await post(client, TEXT)).raise_for_status().json()
    assert (first["documents"], first["unchanged"]) == (1, 0)
    assert first["passages"] > 0
    again = (await post(client, TEXT)).json()
    assert (again["documents"], again["unchanged"]) == (0, 1)
    assert (await client.get("/v1/documents?domain=lamps")).json()["sources"] == ["lamps.md"]


async def test_sources_are_listed_a_page_at_a_time(client: httpx.AsyncClient) -> None:
    for source in ("b.md", "a.md", "c.md"):
        (await post(client, TEXT, source=source)).raise_for_status()
    listed, query = [], {"domain": "lamps", "limit": "2", "after": ""}
    while page := (await client.get("/v1/documents", params=query)).json()["sources"]:
        listed.append(page)
        query["after"] = page[-1]
    assert listed == [["a.md", "b.md"], ["c.md"]]
    assert (await client.get("/v1/documents?limit=1001")).status_code == 422


def test_the_limit_is_one_and_the_same_everywhere() -> None:
    assert Settings().max_document_bytes == MAX_BYTES


@pytest.mark.parametrize(
    ("data", "kind", "query", "status"),
    [
        (b"", "text/markdown", {}, 422),
        (b"\x00\x01\x02" * 50, "text/plain", {}, 422),
        (b"%PDF-1.7 nonsense", "application/pdf", {"source": "x.pdf"}, 422),
        (b"x" * 2001, "text/plain", {}, 413),
        (b"x", "image/png", {"source": "x.png"}, 422),
        (TEXT, "text/markdown", {"domain": "No Domain"}, 422),
        (TEXT, "text/markdown", {"source": ""}, 422),
    ],
)
async def test_what_cannot_be_read_is_refused_and_leaves_nothing(
    client: httpx.AsyncClient, data: bytes, kind: str, query: dict[str, str], status: int
) -> None:
    before = (await client.get("/v1/documents")).json()
    reply = await post(client, data, kind, **query)
    assert (reply.status_code, "message" in reply.json()["error"]) == (status, True)
    assert (await client.get("/v1/documents")).json() == before


async def test_code_with_nothing_to_read_has_a_code_of_its_own(client: httpx.AsyncClient) -> None:
    reply = await post(client, b"import os\n", "text/x-python", source="a/__init__.py")
    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "nothing_to_read")


async def test_a_removed_document_is_found_by_no_search(client: httpx.AsyncClient, runtime: Runtime) -> None:
    stored = (await post(client, TEXT)).json()
    where = {"source": "lamps.md", "domain": "lamps"}
    removed = (await client.delete("/v1/documents", params=where)).raise_for_status().json()
    assert removed == {"passages": stored["passages"], "facts": stored["facts"]}
    assert (await client.get("/v1/documents?domain=lamps")).json()["sources"] == []
    for by in ("vector", "text"):
        hits = await runtime.episodic.search("zorble", by=by, limit=50, access=EVERYTHING)
        assert "lamps.md" not in {hit.passage.source for hit in hits}
    assert await runtime.semantic.about(["zorble"], access=EVERYTHING) == ()
    assert (await client.delete("/v1/documents", params=where)).json() == {"passages": 0, "facts": 0}


async def test_a_dry_run_says_what_would_change_and_stores_nothing(client: httpx.AsyncClient) -> None:
    assert (await post(client, TEXT, dry_run="true")).json()["documents"] == 1
    assert (await client.get("/v1/documents?domain=lamps")).json()["sources"] == []
    await post(client, TEXT)
    assert (await post(client, TEXT + b"\nIt is new.\n", dry_run="true")).json()["changed"] == 1
    assert (await post(client, TEXT, dry_run="true")).json()["unchanged"] == 1


@pytest.mark.parametrize("source", ["  lamps.md\t", "lamps.md"])
async def test_a_corrected_version_replaces_one_whose_name_had_white_space(
    client: httpx.AsyncClient, runtime: Runtime, source: str
) -> None:
    await post(client, b"# Lamps\n\nA zorble is a boat.\n", source=source)
    await post(client, b"# Lamps\n\nA zorble is a lamp.\n", source="lamps.md ")
    assert [f.object for f in await runtime.semantic.about(["zorble"], access=EVERYTHING)] == ["a lamp"]


async def test_a_name_that_is_too_long_is_refused_and_no_old_facts_stay(client: httpx.AsyncClient) -> None:
    assert (await post(client, TEXT, source="a" * 1500 + ".md")).status_code == 422
    assert (await post(client, TEXT, source="a" * 5000 + ".md")).status_code == 422


async def test_the_declared_charset_is_used(client: httpx.AsyncClient, runtime: Runtime) -> None:
    text = "A drimbel is a caf\xe9 lamp. The owner\u2019s lamp is \u201cred\u201d."
    sent = await post(client, text.encode("cp1252"), "text/plain; charset=windows-1252", source="a.txt")
    assert sent.status_code == 200
    (hit, *_) = await runtime.episodic.search("drimbel", by="text", limit=1, access=EVERYTHING)
    assert hit.passage.text == text


async def test_what_is_not_taught_or_left_out_is_said(client: httpx.AsyncClient) -> None:
    text = "# Lampen\n\nEine Lampe ist ein Ger\xe4t, das Licht erzeugt. Sie h\xe4ngt an der T\xfcr.\n"
    (note,) = (await post(client, text.encode())).json()["notes"]
    assert note == ["lamps.md", "in another language (de): read and searchable; lessons need English"]


async def test_a_row_of_a_table_becomes_a_fact(client: httpx.AsyncClient, runtime: Runtime) -> None:
    table = b"Device,Maximum load,Voltage\nQuorbin,40 kilograms,12 volts\nPlenty,55 kilograms,24 volts\n"
    await post(client, table, "text/csv", source="limits.csv")
    facts = await runtime.semantic.about(["Quorbin"], access=EVERYTHING)
    assert ("maximum load", "40 kilograms") in {(fact.relation, fact.object) for fact in facts}
    assert all(fact.sentence == "| Quorbin | 40 kilograms | 12 volts |" for fact in facts)

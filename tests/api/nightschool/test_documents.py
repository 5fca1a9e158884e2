"""Documents are taken in as bytes, once, and refused with a reason where they cannot be read."""

import httpx
import pytest

from agent.settings import Settings
from memory.ingest.documents import MAX_BYTES

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

"""Embeddings come whole and in order, and nothing that the model would not read is taken."""

import base64

import httpx
import numpy as np
import pytest

from api.openai.embeddings import BATCH_SIZE, MAX_TEXTS
from memory.embedding.embedder import HashingEmbedder

EMBED = "/v1/embeddings"


class Brief(HashingEmbedder):
    """Reads three words at most."""

    max_tokens = 3


def asking(texts: object, **fields: object) -> dict[str, object]:
    """The body of a request."""
    return {"model": "hashing", "input": texts} | fields


async def test_one_text_or_many_keep_their_order_beyond_one_slice(client: httpx.AsyncClient) -> None:
    texts = [f"lemur {number}" for number in range(BATCH_SIZE + 3)]
    many = (await client.post(EMBED, json=asking(texts))).raise_for_status().json()
    assert [item["index"] for item in many["data"]] == list(range(len(texts)))
    assert np.allclose([item["embedding"] for item in many["data"]], HashingEmbedder().embed(texts))
    one = (await client.post(EMBED, json=asking(texts[-1]))).json()
    assert one["data"][0]["embedding"] == many["data"][-1]["embedding"]
    assert one["usage"] == {"prompt_tokens": 2, "total_tokens": 2}


async def test_base64_holds_little_endian_floats(client: httpx.AsyncClient) -> None:
    reply = (await client.post(EMBED, json=asking("a lemur", encoding_format="base64"))).json()
    packed = np.frombuffer(base64.b64decode(reply["data"][0]["embedding"]), "<f4")
    assert np.array_equal(packed, HashingEmbedder().embed(["a lemur"])[0])


async def test_a_text_that_would_be_cut_off_is_refused_with_its_place(build) -> None:  # type: ignore[no-untyped-def]
    app = build(embedder=Brief())
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            reply = await client.post(EMBED, json=asking(["one two three", "one two three four"]))
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "context_length_exceeded"
    assert "input 1 has 4 tokens" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (asking("a lemur", model="text-embedding-3-small"), 404, "model_not_found"),
        (asking("a lemur", dimensions=64), 400, "invalid_value"),
        (asking(""), 422, "invalid_value"),
        (asking([]), 422, "invalid_value"),
        (asking(["a", ""]), 422, "invalid_value"),
        (asking([[1, 2, 3]]), 422, "invalid_value"),
        (asking(["a"] * (MAX_TEXTS + 1)), 422, "invalid_value"),
        (asking("a", encoding_format="hex"), 422, "invalid_value"),
    ],
)
async def test_what_cannot_be_embedded_is_refused(
    client: httpx.AsyncClient, body: object, status: int, code: str
) -> None:
    reply = await client.post(EMBED, json=body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize("fields", [{"dimensions": 256}, {"model": "auto"}, {"user": "u1", "odd": 1}])
async def test_what_changes_nothing_is_taken(client: httpx.AsyncClient, fields: dict[str, object]) -> None:
    assert (await client.post(EMBED, json=asking("a lemur", **fields))).status_code == 200

"""The embeddings route: vectors by the model with which the service searches its memory.

Texts that are too long for the model are rejected, not truncated.
"""

import asyncio
import base64
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from agent.chat.routing import AUTO
from agent.errors import PromptTooLong
from api.auth import CallerDep
from api.compose import ServiceDep
from api.errors import openai_errors
from memory.embedding.embedder import Embedder, Vectors
from memory.errors import UnknownAdapter

router = APIRouter(tags=["embeddings"])

MAX_TEXTS = 2048
BATCH_SIZE = 64
"""Texts embedded at once. A search by a chat waits for at most one batch."""

InputText = Annotated[str, StringConstraints(min_length=1)]


class EmbeddingsRequest(BaseModel):
    """Texts to embed. Unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(max_length=200)
    input: InputText | Annotated[list[InputText], Field(min_length=1, max_length=MAX_TEXTS)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None


class Embedding(BaseModel):
    """One text's vector, of unit length: numbers, or little-endian float32 in base64."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsUsage(BaseModel):
    """Tokens of the texts."""

    prompt_tokens: int
    total_tokens: int


class Embeddings(BaseModel):
    """The vectors, in the order of the texts."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingsUsage


@router.post("/v1/embeddings", responses=openai_errors(400, 404, 413, 422, 503))
async def embed(request: EmbeddingsRequest, service: ServiceDep, caller: CallerDep) -> Embeddings:
    """Embeds texts with the model that the service's own memory uses."""
    embedder = service.embedder
    if request.model not in (AUTO, embedder.name):
        raise UnknownAdapter(f"no embedding model {request.model!r}: use {embedder.name} or {AUTO}")
    if request.dimensions not in (None, embedder.dimension):
        raise ValueError(f"dimensions: {embedder.name} always has {embedder.dimension}: leave it out")
    texts = [request.input] if isinstance(request.input, str) else request.input
    async with service.embedding_lock:
        lengths = await asyncio.to_thread(embedder.token_counts, texts)
        for index, length in enumerate(lengths):
            if length > embedder.max_tokens:
                limit = f"{embedder.name} reads at most {embedder.max_tokens}"
                raise PromptTooLong(f"input {index} has {length} tokens, and {limit}: split it")
        vectors = await _vectors(embedder, texts)
    await service.rate_limits.count_tokens(caller.owner, sum(lengths))
    return Embeddings(
        data=[
            Embedding(index=index, embedding=_encoded(vector, request.encoding_format))
            for index, vector in enumerate(vectors)
        ],
        model=embedder.name,
        usage=EmbeddingsUsage(prompt_tokens=sum(lengths), total_tokens=sum(lengths)),
    )


async def _vectors(embedder: Embedder, texts: list[str]) -> Vectors:
    batches = [texts[start : start + BATCH_SIZE] for start in range(0, len(texts), BATCH_SIZE)]
    return np.concatenate([await asyncio.to_thread(embedder.embed, batch) for batch in batches])


def _encoded(vector: Vectors, encoding: str | None) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return [float(value) for value in vector]

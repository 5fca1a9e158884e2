"""Routes of the document library: add a document, list the documents.

The caller sends a document's bytes; the service reads no files and fetches no URLs.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from agent.chat.routing import DEFAULT_DOMAIN
from api.auth import AccessDep, CallerDep
from api.compose import ServiceDep
from api.errors import openai_errors
from memory.ingest.documents import RawDocument, media_type
from memory.ingest.pipeline import IngestReport, store
from memory.ingest.sources import checked_source
from memory.records.base import Domain

PATH = "/v1/documents"
router = APIRouter(tags=["documents"])


class Documents(BaseModel):
    """The sources in the library."""

    domain: Domain | None
    sources: list[str]


@router.post(
    PATH,
    responses=openai_errors(400, 403, 413, 422, 503),
    openapi_extra={"requestBody": {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def add(
    request: Request,
    service: ServiceDep,
    caller: CallerDep,
    access: AccessDep,
    source: Annotated[str, Query(min_length=1, max_length=2000)],
    title: Annotated[str, Query(max_length=500)] = "",
    domain: Domain = DEFAULT_DOMAIN,
) -> IngestReport:
    """Ingests one document: the body is its bytes, the Content-Type header its media type.

    It is private to the key's owner, except those of admins and in closed domains. Repeating it changes
    nothing; a changed document replaces the owner's previous version.
    """
    access.require_write(domain)
    source = checked_source(source)
    kind = media_type(source, request.headers.get("content-type", ""))
    data = await request.body()
    await service.rate_limits.spend("ingest_bytes", caller.owner, len(data))
    document = RawDocument(source=source, data=data, media_type=kind, title=title)
    owner = access.owner_of_new(domain)
    contents = await service.read_document(document, domain, owner)
    async with service.ingest_lock:
        return await store(
            source,
            contents,
            domain=domain,
            owner=owner,
            episodic=service.runtime.episodic,
            semantic=service.runtime.semantic,
        )


@router.get(PATH, responses=openai_errors(422, 503))
async def listing(service: ServiceDep, access: AccessDep, domain: Domain | None = None) -> Documents:
    """The sources in the library that the caller may read, of one domain or of all."""
    documents = await service.runtime.episodic.documents(access=access, domain=domain)
    return Documents(domain=domain, sources=sorted({each.source for each in documents}))

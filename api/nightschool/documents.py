"""Routes of the document library: add a document, list the documents.

Reads no files and fetches no URLs of its own: the caller sends the bytes, and says where they come from.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from agent.chat.routing import DEFAULT_DOMAIN
from api.compose import ServiceDep
from api.errors import refusals
from memory.errors import IngestError
from memory.ingest.documents import RawDocument, media_type
from memory.ingest.pipeline import IngestReport, ingest
from memory.records.base import Domain

PATH = "/v1/documents"
router = APIRouter(tags=["documents"])


class Documents(BaseModel):
    """The sources that were read."""

    domain: Domain | None
    sources: list[str]


@router.post(
    PATH,
    responses=refusals(400, 413, 422, 503),
    openapi_extra={"requestBody": {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def add(
    request: Request,
    service: ServiceDep,
    source: Annotated[str, Query(min_length=1, max_length=2000)],
    title: Annotated[str, Query(max_length=500)] = "",
    domain: Domain = DEFAULT_DOMAIN,
) -> IngestReport:
    """Reads one document: its bytes are the body, its media type the Content-Type header.

    Reading it again changes nothing; reading it changed replaces what it said before.
    """
    kind = media_type(source, request.headers.get("content-type", ""))
    document = RawDocument(source=source, data=await request.body(), media_type=kind, title=title)
    async with service.writing:
        report = await ingest(
            [document], domain=domain, episodic=service.runtime.episodic, semantic=service.runtime.semantic
        )
    for failure in report.failed:
        raise IngestError(failure.reason)
    return report


@router.get(PATH, responses=refusals(422, 503))
async def listing(service: ServiceDep, domain: Domain | None = None) -> Documents:
    """The sources that were read, of one domain or of all."""
    sources = await service.runtime.episodic.sources(domain)
    return Documents(domain=domain, sources=sorted(sources))

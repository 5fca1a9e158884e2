"""Routes of the library as a whole: its size, and its export and import, one document a line."""

from collections import Counter
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from api.compose import ServiceDep
from api.errors import openai_errors
from memory.ingest.exchange import ExportedDocument, export, parse
from memory.ingest.writer import IngestReport
from memory.records.access import EVERYTHING
from memory.records.base import Domain, Record

IMPORT_PATH = "/v1/memory/import"
LINE_BYTES = 10
"""Most bytes of a line for each byte of the largest document: a text is in it twice, and facts beside it."""
router = APIRouter(tags=["memory"])


class LibrarySize(Record):
    """How much is stored."""

    documents: int
    passages: int
    facts: int
    """Also those that users stated."""
    answers: int
    """Archived answers."""
    domains: dict[Domain, int]
    """Documents by domain."""
    owners: int
    """Owners of private documents."""


@router.get("/v1/memory/stats", responses=openai_errors(503))
async def stats(service: ServiceDep) -> LibrarySize:
    """How many documents, passages, facts and archived answers are stored."""
    runtime = service.runtime
    documents = await runtime.episodic.documents(access=EVERYTHING)
    return LibrarySize(
        documents=len(documents),
        passages=await runtime.episodic.count(),
        facts=await runtime.semantic.count(),
        answers=len(await runtime.answers.list()),
        domains=dict(sorted(Counter(each.domain for each in documents).items())),
        owners=len({each.owner for each in documents} - {None}),
    )


@router.get(
    "/v1/memory/export",
    response_class=StreamingResponse,
    responses=openai_errors(422, 503)
    | {200: {"model": ExportedDocument, "content": {"application/x-ndjson": {}}}},
)
async def export_library(service: ServiceDep, domain: Domain | None = None) -> StreamingResponse:
    """All documents with passages, facts and owners, of one domain or of all, one JSON object a line."""
    runtime = service.runtime
    lines = export(episodic=runtime.episodic, semantic=runtime.semantic, domain=domain)
    first = await anext(lines, "")  # before the reply starts, so that an error has its own status
    return StreamingResponse(_after(first, lines), media_type="application/x-ndjson")


@router.post(
    IMPORT_PATH,
    responses=openai_errors(400, 413, 422, 503),
    openapi_extra={
        "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}, "required": True}
    },
)
async def import_document(request: Request, service: ServiceDep) -> IngestReport:
    """Stores one line of an export, all of it or nothing; one that is stored unchanged stays as it is."""
    document = parse(await request.body())
    return await service.document_writer.store(document.place, document.contents)


async def _after(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for line in rest:
        yield line

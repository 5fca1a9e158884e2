"""Routes of the document library: add, remove and list documents.

The caller sends a document's bytes; the service reads no files and fetches no URLs.
"""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, TypeAdapter

from agent.chat.routing import DEFAULT_DOMAIN
from api.auth import AccessDep, CallerDep
from api.compose import ServiceDep
from api.errors import openai_errors
from api.nightschool.weighed_facts import StoredDocument, weighed
from memory.ingest.documents import RawDocument
from memory.ingest.exchange import contents
from memory.ingest.loaders.formats import declared_charset, media_type
from memory.ingest.sources import checked_source, normalised_source
from memory.ingest.writer import IngestReport, Place, Removed
from memory.records.base import Domain
from memory.records.perspectives import PerspectiveName

PATH = "/v1/documents"
router = APIRouter(tags=["documents"])
_DOCUMENTS = TypeAdapter(list[StoredDocument])


class Documents(BaseModel):
    """The sources in the library."""

    domain: Domain | None
    sources: list[str]


@router.post(
    PATH,
    responses=openai_errors(400, 403, 409, 413, 422, 503),
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
    perspective: PerspectiveName | None = None,
    dry_run: bool = False,
) -> IngestReport:
    """Ingests one document: the body is its bytes, the Content-Type header its media type and charset.

    It is private to the key's owner, except those of admins and in closed domains. Repeating it changes
    nothing; a changed document replaces the owner's previous version. With `dry_run` it is read and compared,
    but not stored. `perspective` is the viewpoint that it speaks from, see `/v1/perspectives`; without one it
    keeps what was declared earlier. Documents that are sent at the same time are stored faster than one after
    the other.
    """
    access.require_write(domain)
    source = checked_source(source)
    data = await request.body()
    declared = request.headers.get("content-type", "")
    kind = media_type(source, declared, data)
    await service.rate_limits.spend("ingest_bytes", caller.owner, len(data))
    document = RawDocument(
        source=source, data=data, media_type=kind, charset=declared_charset(declared), title=title
    )
    owner = access.owner_of_new(domain)
    if perspective is not None:  # before anything is stored
        await service.perspectives.usable(perspective, domain, owner, access=access)
    read = await service.read_document(document, domain, owner)
    place, writer = Place(source, domain, owner), service.document_writer
    if dry_run:
        return await writer.compare(place, read)
    report = await writer.store(place, read)
    if perspective is not None:
        await service.perspectives.declare([place], perspective, access=access)
    return report


@router.delete(PATH, responses=openai_errors(400, 403, 422, 503))
async def remove(
    service: ServiceDep,
    access: AccessDep,
    source: Annotated[str, Query(min_length=1, max_length=2000)],
    domain: Domain = DEFAULT_DOMAIN,
) -> Removed:
    """Removes the caller's document of this name, also one that a learn run fetched: its passages and facts.

    Chats and lessons that used it stay. `DELETE /v1/memory` forgets those too.
    """
    access.require_write(domain)
    source, writer = checked_source(source), service.document_writer
    owners = dict.fromkeys((access.owner_of_new(domain), access.explorer))
    places = [Place(source, domain, owner) for owner in owners]
    removed = [await writer.remove(place) for place in places]
    await service.perspectives.withdraw(places)
    return Removed(passages=sum(r.passages for r in removed), facts=sum(r.facts for r in removed))


@router.get(PATH, responses=openai_errors(422, 503))
async def listing(
    service: ServiceDep,
    access: AccessDep,
    domain: Domain | None = None,
    after: Annotated[str, Query(max_length=2000)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> Documents:
    """The sources in the library that the caller may read, of one domain or of all, in order; a page at a
    time.

    The next page begins `after` the last source of this one.
    """
    documents = await service.runtime.episodic.documents(access=access, domain=domain)
    sources = sorted({each.source for each in documents if each.source > after})
    return Documents(domain=domain, sources=sources[:limit])


@router.get(f"{PATH}/contents", response_model=list[StoredDocument], responses=openai_errors(422, 503))
async def stored_contents(
    service: ServiceDep,
    access: AccessDep,
    source: Annotated[str, Query(min_length=1, max_length=2000)],
    domain: Domain | None = None,
) -> Response:
    """What is stored of the documents of this name that the caller may read: passages and facts."""
    runtime = service.runtime
    named = await runtime.episodic.documents(
        access=access, domain=domain, sources={normalised_source(source)}
    )
    documents = []
    for each in named:
        place = Place(each.source, each.domain, each.owner)
        stored = await contents(place, episodic=runtime.episodic, semantic=runtime.semantic)
        facts = await weighed(stored.facts, runtime.semantic, access=access)
        parts = {**place._asdict(), "passages": stored.passages, "facts": tuple(facts)}
        documents.append(StoredDocument.model_construct(**parts))  # may be gone meanwhile, without passages
    body = await asyncio.to_thread(_DOCUMENTS.dump_json, documents)
    return Response(body, media_type="application/json")

"""Routes of withdrawn sentences: what a person found wrong in a document is neither found, quoted nor taught.

This is how a conflict is decided: withdraw the sentence that is wrong.
"""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from agent.chat.routing import DEFAULT_DOMAIN
from api.auth import AccessDep, CallerDep
from api.compose import ServiceDep
from api.errors import openai_errors
from api.limits import reject_nul
from api.nightschool.pages import MOST, Limit, page_of
from graphs.server.taught import TaughtLesson, lessons_with
from memory.errors import UnknownSentence
from memory.ingest.exchange import contents
from memory.ingest.sources import normalised_source
from memory.ingest.withdrawn import whole_sentences
from memory.ingest.writer import Place
from memory.records.base import Domain
from memory.records.knowledge import WithdrawnSentence

router = APIRouter(prefix="/v1/memory/withdrawn", tags=["memory"], dependencies=[Depends(reject_nul)])


class WithdrawRequest(BaseModel):
    """The sentence that is wrong."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(min_length=1, max_length=2000)
    """Its document, as `GET /v1/documents` lists it."""
    domain: Domain = DEFAULT_DOMAIN
    sentence: str = Field(min_length=1, max_length=4000)
    """Verbatim, as facts and citations quote it."""
    reason: str = Field(default="", max_length=2000)


class Withdrawn(BaseModel):
    """What was withdrawn, and what has been learned from it before."""

    withdrawn: WithdrawnSentence
    passages: int
    """Passages that held it."""
    facts: int
    """Facts that it stated."""
    taught: list[TaughtLesson]
    """Lessons of live adapters that were made from it, with the command that makes an adapter forget each."""


@router.post("", status_code=201, responses=openai_errors(403, 404, 422, 503))
async def withdraw(
    request: WithdrawRequest, service: ServiceDep, caller: CallerDep, access: AccessDep
) -> Withdrawn:
    """Withdraws a sentence from the caller's document; it stays out when the document is ingested again.

    Shared documents are admins' to correct, and those of a closed domain anybody's who may write it. Who
    already was taught the sentence is said; its adapters stay as they are.
    """
    access.require_write(request.domain)
    runtime, source = service.runtime, normalised_source(request.source)
    for owner in dict.fromkeys((access.owner_of_new(request.domain), access.explorer)):
        place = Place(source, request.domain, owner)
        stored = await contents(place, episodic=runtime.episodic, semantic=runtime.semantic)
        if request.sentence in await asyncio.to_thread(whole_sentences, stored.contents):
            break
    else:
        raise UnknownSentence(
            f"no document {source} of yours in the domain {request.domain} holds this sentence: give all of"
            " it, as `GET /v1/memory/conflicts` or `GET /v1/documents/contents` quotes it"
        )
    withdrawn = await service.withdrawn.add(place, request.sentence, reason=request.reason, by=caller.name)
    removed = await service.document_writer.rewrite(place)
    taught = await lessons_with(runtime, source=source, sentence=request.sentence)
    return Withdrawn(withdrawn=withdrawn, passages=removed.passages, facts=removed.facts, taught=list(taught))


@router.get("", responses=openai_errors(404, 422, 503))
async def listing(
    service: ServiceDep,
    access: AccessDep,
    domain: Domain | None = None,
    after: Annotated[
        str | None, Query(max_length=100, description="Id of the last sentence of the page before.")
    ] = None,
    limit: Limit = MOST,
) -> list[WithdrawnSentence]:
    """The withdrawn sentences of documents that the caller may read, latest first; a page at a time."""
    sentences = await service.withdrawn.all(access=access, domain=domain)
    unknown = UnknownSentence(f"no withdrawn sentence {after} is in this list: begin without `after`")
    return page_of(sentences, [each.id for each in sentences], after=after, limit=limit, unknown=unknown)


@router.delete("/{sentence_id}", responses=openai_errors(403, 404, 422, 503))
async def reinstate(
    sentence_id: Annotated[str, Path(max_length=100)],
    service: ServiceDep,
    caller: CallerDep,
    access: AccessDep,
) -> WithdrawnSentence:
    """Lets a sentence stand again: it comes back when its document is ingested the next time.

    Who may withdraw it may reinstate it.
    """
    return await service.withdrawn.remove(sentence_id, by=caller.name, access=access)

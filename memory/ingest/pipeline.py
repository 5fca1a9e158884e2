"""The ingest pipeline: reads documents and stores their passages and facts.

A document counts as stored once all of it is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from memory.episodic.base import EpisodicMemory
from memory.errors import IngestError
from memory.ingest.documents import RawDocument, load
from memory.ingest.folders import Failure
from memory.ingest.page_quality import require_good_page
from memory.ingest.passages import passages as split_into_passages
from memory.ingest.propositions.facts import extract_facts
from memory.ingest.writer import Contents, DocumentWriter, IngestReport, Place
from memory.language.dates import as_of
from memory.records.base import Domain
from memory.records.knowledge import Fact
from memory.semantic.base import SemanticMemory

MAX_PASSAGES = 10_000
"""Default limit for one document; 5 MB of prose have about 7,000 passages."""
TAUGHT_LANGUAGE = "en"
"""The only one that facts are extracted from, and thus that lessons are written in."""

ReadDocument = Callable[[RawDocument, Domain, str | None], Awaitable[Contents]]
"""Reads a document of a domain and an owner, see `read`."""


async def ingest(
    documents: Iterable[RawDocument | Failure],
    *,
    domain: Domain,
    owner: str | None = None,
    episodic: EpisodicMemory,
    semantic: SemanticMemory,
) -> IngestReport:
    """Reads and stores the documents, see `DocumentWriter.store`. Raises StoreUnavailable.

    Unreadable documents are listed in the report.
    """
    writer = DocumentWriter(episodic, semantic)
    reports: list[IngestReport] = []
    for document in documents:
        if isinstance(document, Failure):
            reports.append(IngestReport(failed=(document,)))
            continue
        try:
            contents = await read_in_thread(document, domain, owner)
        except IngestError as error:
            reports.append(IngestReport(failed=(Failure(document.source, str(error)),)))
            continue
        reports.append(await writer.store(Place(document.source, domain, owner), contents))
    return _sum(reports)


def read(
    document: RawDocument, domain: Domain, owner: str | None = None, *, most_passages: int = MAX_PASSAGES
) -> Contents:
    """Splits a document into passages and extracts its facts, without storing them. Raises IngestError.

    The document is untrusted, and takes as long as it likes: `memory.ingest.readers` bounds that.
    """
    loaded = load(document)
    web = document.web
    if web is not None:
        require_good_page(document.source, loaded, language=TAUGHT_LANGUAGE)
        web = web.model_copy(update={"licence": loaded.licence})
    title = loaded.title or document.title or Path(document.source.partition("?")[0]).stem
    passages = split_into_passages(
        loaded.text,
        source=document.source,
        title=title,
        domain=domain,
        owner=owner,
        language=loaded.language,
        web=web,
    )
    if not passages:
        raise IngestError(f"{document.source}: the document contains only headings")
    if len(passages) > most_passages:
        raise IngestError(
            f"{document.source}: {len(passages)} passages exceed the limit of {most_passages}: split it, join"
            " short sections below one heading, or set NIGHTSCHOOL_DOCUMENT_PASSAGES"
        )
    notes = tuple(f"left out: {each}" for each in loaded.unread)
    if loaded.language != TAUGHT_LANGUAGE:
        notes += (f"in another language ({loaded.language}): read and searchable; lessons need English",)
        return Contents(passages, (), notes)
    return Contents(passages, _dated(extract_facts(passages), loaded.dated), notes)


def _dated(facts: Sequence[Fact], document_date: datetime | None) -> tuple[Fact, ...]:
    """The facts with the date that their sentence or else the document gives."""
    dates = ((fact, as_of(fact.sentence) or document_date) for fact in facts)
    return tuple(fact if date is None else fact.model_copy(update={"dated": date}) for fact, date in dates)


async def read_in_thread(document: RawDocument, domain: Domain, owner: str | None) -> Contents:
    """`read` in a thread of this process, without any bounds: for documents that are trusted."""
    return await asyncio.to_thread(read, document, domain, owner)


def _sum(reports: Sequence[IngestReport]) -> IngestReport:
    return IngestReport(
        documents=sum(each.documents for each in reports),
        changed=sum(each.changed for each in reports),
        passages=sum(each.passages for each in reports),
        facts=sum(each.facts for each in reports),
        unchanged=sum(each.unchanged for each in reports),
        failed=tuple(failure for each in reports for failure in each.failed),
        notes=tuple(note for each in reports for note in each.notes),
    )

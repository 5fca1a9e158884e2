"""The ingest pipeline: reads documents from a path or URL and stores their passages and facts.

A document counts as stored once all of it is. Callers must not ingest the same document twice at once.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from memory.episodic.base import EpisodicMemory, fingerprint
from memory.errors import IngestError
from memory.ingest.documents import MAX_BYTES, MEDIA_TYPES, RawDocument, media_type, text_of, too_large
from memory.ingest.passages import passages as split_into_passages
from memory.ingest.propositions.facts import extract_facts
from memory.ingest.sources import is_url, source_of
from memory.ingest.web import fetch
from memory.records.access import EVERYTHING
from memory.records.base import Domain, Record
from memory.records.knowledge import Fact, Passage
from memory.semantic.base import SemanticMemory

MAX_PASSAGES = 10_000
"""Default limit for one document; 5 MB of prose have about 7,000 passages."""


class Contents(NamedTuple):
    """What was read of a document."""

    passages: tuple[Passage, ...]
    facts: tuple[Fact, ...]


ReadDocument = Callable[[RawDocument, Domain, str | None], Awaitable[Contents]]
"""Reads a document of a domain and an owner, see `read`."""


class Failure(NamedTuple):
    """A document that could not be read, and the reason."""

    source: str
    reason: str


class IngestReport(Record):
    """The result of an ingest: counts of newly stored and of unchanged documents, and the failures."""

    documents: int
    passages: int
    facts: int
    unchanged: int
    failed: tuple[Failure, ...]


def read_target(target: str, *, max_bytes: int = MAX_BYTES) -> Iterator[RawDocument | Failure]:
    """Reads the documents of a file, a folder (recursively) or an http(s) URL, one by one.

    A document that cannot be read, or exceeds `max_bytes`, yields a Failure. In folders, hidden files and
    extensions other than `.md .txt .html .pdf` (and their variants) are skipped.
    Raises IngestError if the file or folder does not exist, or the folder has no documents.
    """
    if is_url(target):
        yield _try_read(target, partial(fetch, target, max_bytes=max_bytes))
        return
    if not target.strip():  # for example an unset shell variable; Path("") would be the current folder
        raise IngestError("the path is empty; give a path (`.` for this folder), or a URL")
    path = Path(target).expanduser()
    if path.is_dir():
        files = _document_files(path)
        if not files:
            extensions = " ".join(sorted(MEDIA_TYPES))
            raise IngestError(f"{target}: no document in this folder (looked for {extensions})")
        for file in files:
            yield _try_read(str(file), partial(_read_file, file, source_of(file, path), max_bytes))
    elif path.is_file():
        source = source_of(path, path.parent)
        yield _try_read(str(path), partial(_read_file, path, source, max_bytes))
    else:
        raise IngestError(f"{target}: no such file or folder; give a path, or a URL with http:// or https://")


async def ingest(
    documents: Iterable[RawDocument | Failure],
    *,
    domain: Domain,
    owner: str | None = None,
    episodic: EpisodicMemory,
    semantic: SemanticMemory,
) -> IngestReport:
    """Stores the passages and facts of each document, and skips documents that are stored unchanged.

    Documents belong to `owner`, or are shared. A changed document replaces the earlier content of its source;
    one of another owner or domain stays, also if it has the same name. The old content is removed only after
    the new content is stored, so an interruption loses nothing, and ingesting again repairs it. The passages
    decide whether a document counts as stored; they are therefore added after its facts and removed before
    them. Unreadable documents are listed in the report. Raises StoreUnavailable.
    """
    stored = await episodic.documents(access=EVERYTHING, domain=domain)
    fingerprints = {each.source: each.fingerprint for each in stored if each.owner == owner}
    counts: list[Contents] = []
    failed: list[Failure] = []
    unchanged = 0
    for document in documents:
        if isinstance(document, Failure):
            failed.append(document)
            continue
        try:
            contents = await read_in_thread(document, domain, owner)
        except IngestError as error:
            failed.append(Failure(document.source, str(error)))
            continue
        place = _Place(document.source, domain, owner)
        if await _replace(place, contents, fingerprints.get(document.source), episodic, semantic):
            fingerprints[document.source] = fingerprint(p.id for p in contents.passages)
            counts.append(contents)
        else:
            unchanged += 1
    return _report(counts, unchanged, failed)


async def store(
    source: str,
    contents: Contents,
    *,
    domain: Domain,
    owner: str | None,
    episodic: EpisodicMemory,
    semantic: SemanticMemory,
) -> IngestReport:
    """Stores what was read of one document, as `ingest` does. Raises StoreUnavailable."""
    stored = await episodic.documents(access=EVERYTHING, domain=domain)
    known = next((each for each in stored if (each.source, each.owner) == (source, owner)), None)
    place = _Place(source, domain, owner)
    changed = await _replace(place, contents, known.fingerprint if known else None, episodic, semantic)
    return _report([contents] if changed else [], unchanged=int(not changed))


def read(
    document: RawDocument, domain: Domain, owner: str | None = None, *, most_passages: int = MAX_PASSAGES
) -> Contents:
    """Splits a document into passages and extracts its facts, without storing them. Raises IngestError.

    The document is untrusted, and takes as long as it likes: `memory.ingest.readers` bounds that.
    """
    text = text_of(document)
    title = document.title or Path(document.source.partition("?")[0]).stem
    passages = split_into_passages(text, source=document.source, title=title, domain=domain, owner=owner)
    if not passages:
        raise IngestError(f"{document.source}: the document contains only headings")
    if len(passages) > most_passages:
        raise IngestError(
            f"{document.source}: {len(passages)} passages exceed the limit of {most_passages}: split it, join"
            " short sections below one heading, or set NIGHTSCHOOL_DOCUMENT_PASSAGES"
        )
    return Contents(passages, extract_facts(passages))


async def read_in_thread(document: RawDocument, domain: Domain, owner: str | None) -> Contents:
    """`read` in a thread of this process, without any bounds: for documents that are trusted."""
    return await asyncio.to_thread(read, document, domain, owner)


class _Place(NamedTuple):
    """Where a document is stored."""

    source: str
    domain: Domain
    owner: str | None


async def _replace(
    place: _Place,
    contents: Contents,
    stored: str | None,
    episodic: EpisodicMemory,
    semantic: SemanticMemory,
) -> bool:
    """Replaces a document whose stored fingerprint is `stored`; False if it is stored unchanged."""
    source, domain, owner = place
    kept = {p.id for p in contents.passages}
    changed = stored != fingerprint(kept)
    if changed:
        await semantic.add(contents.facts)
        await episodic.add(contents.passages)
        await episodic.remove(source, domain=domain, owner=owner, keep=kept)
    # Also for an unchanged document: an interrupted ingest may have left facts of another version.
    await semantic.remove(source, domain=domain, owner=owner, keep={f.id for f in contents.facts})
    return changed


def _report(stored: Sequence[Contents], unchanged: int, failed: Sequence[Failure] = ()) -> IngestReport:
    return IngestReport(
        documents=len(stored),
        passages=sum(len(each.passages) for each in stored),
        facts=sum(len(each.facts) for each in stored),
        unchanged=unchanged,
        failed=tuple(failed),
    )


def _try_read(source: str, read_document: Callable[[], RawDocument]) -> RawDocument | Failure:
    try:
        return read_document()
    except IngestError as error:
        return Failure(source, str(error))


def _document_files(folder: Path) -> list[Path]:
    files: list[Path] = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [
            Path(root, name)
            for name in sorted(names)
            if not name.startswith(".") and Path(name).suffix.lower() in MEDIA_TYPES
        ]
    return files


def _read_file(path: Path, source: str, max_bytes: int) -> RawDocument:
    kind = media_type(path.name)
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise IngestError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > max_bytes:
        raise too_large(str(path), max_bytes)
    return RawDocument(source=source, data=data, media_type=kind, title=path.stem)

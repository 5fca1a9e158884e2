"""The ingest pipeline: reads documents from a path or URL and stores their passages and facts.

A document counts as stored once all of it is. Callers must not ingest the same document twice at once.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator
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
    counts: list[tuple[int, int]] = []
    failed: list[Failure] = []
    unchanged = 0
    for document in documents:
        if isinstance(document, Failure):
            failed.append(document)
            continue
        try:
            passages, facts = await asyncio.to_thread(read, document, domain, owner)
        except IngestError as error:
            failed.append(Failure(document.source, str(error)))
            continue
        digest = fingerprint(p.id for p in passages)
        if fingerprints.get(document.source) == digest:
            unchanged += 1
        else:
            await semantic.add(facts)
            await episodic.add(passages)
            kept = {p.id for p in passages}
            await episodic.remove(document.source, domain=domain, owner=owner, keep=kept)
            fingerprints[document.source] = digest
            counts.append((len(passages), len(facts)))
        # Also for an unchanged document: an interrupted ingest may have left facts of another version.
        await semantic.remove(document.source, domain=domain, owner=owner, keep={f.id for f in facts})
    return IngestReport(
        documents=len(counts),
        passages=sum(p for p, _ in counts),
        facts=sum(f for _, f in counts),
        unchanged=unchanged,
        failed=tuple(failed),
    )


def read(
    document: RawDocument, domain: Domain, owner: str | None = None
) -> tuple[tuple[Passage, ...], tuple[Fact, ...]]:
    """Splits a document into passages and extracts its facts, without storing them. Raises IngestError."""
    text = text_of(document)
    title = document.title or Path(document.source.partition("?")[0]).stem
    passages = split_into_passages(text, source=document.source, title=title, domain=domain, owner=owner)
    if not passages:
        raise IngestError(f"{document.source}: the document contains only headings")
    return passages, extract_facts(passages)


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

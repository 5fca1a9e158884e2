"""Ingest: finds documents by path or URL, and turns each into passages and facts in both stores.

A document counts as stored once all of it is; two ingests of one at once are the caller's to prevent.
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
from memory.ingest.passages import passages as cut
from memory.ingest.propositions.facts import facts as read_facts
from memory.ingest.web import fetch
from memory.records.base import Domain, Record
from memory.records.knowledge import Fact, Passage
from memory.semantic.base import SemanticMemory


class Failure(NamedTuple):
    """A document that could not be read, and why."""

    source: str
    reason: str


class IngestReport(Record):
    """What came of an ingest: documents, passages and facts stored anew, and what was left as it was."""

    documents: int
    passages: int
    facts: int
    unchanged: int
    failed: tuple[Failure, ...]


def read_target(target: str, *, max_bytes: int = MAX_BYTES) -> Iterator[RawDocument | Failure]:
    """The documents of a file, of a folder and all folders in it, or of an http(s) URL, one by one.

    One that cannot be read, or has more than `max_bytes`, is a Failure. In folders, hidden files and endings
    other than `.md .txt .html .pdf` (and their variants) are passed over.
    Raises IngestError if there is no such file or folder, or nothing to read in it.
    """
    if target.startswith(("http://", "https://")):
        yield _attempt(target, partial(fetch, target, max_bytes=max_bytes))
        return
    if not target.strip():  # as an unset shell variable leaves it; to a Path it would be the folder here
        raise IngestError("the path is empty; give a path (`.` for this folder), or a URL")
    path = Path(target).expanduser()
    if path.is_dir():
        files = _files(path)
        if not files:
            endings = " ".join(sorted(MEDIA_TYPES))
            raise IngestError(f"{target}: no document in this folder (looked for {endings})")
        for file in files:
            yield _attempt(str(file), partial(_read, file, max_bytes))
    elif path.is_file():
        yield _attempt(str(path), partial(_read, path, max_bytes))
    else:
        raise IngestError(f"{target}: no such file or folder; give a path, or a URL with http:// or https://")


async def ingest(
    documents: Iterable[RawDocument | Failure],
    *,
    domain: Domain,
    episodic: EpisodicMemory,
    semantic: SemanticMemory,
) -> IngestReport:
    """Stores each document's passages and facts; one that is stored just so already is left alone.

    A changed document replaces what was read from its source before, which is forgotten only once all that is
    new is stored: wherever that breaks off, nothing acknowledged is lost, and ingesting again repairs it. For
    this the passages, which tell whether a document is stored, come after its facts and go before them.
    What cannot be read is reported, not raised. Raises StoreUnavailable.
    """
    stored = await episodic.sources()
    done: list[tuple[int, int]] = []
    failed: list[Failure] = []
    unchanged = 0
    for document in documents:
        if isinstance(document, Failure):
            failed.append(document)
            continue
        try:
            passages, facts = await asyncio.to_thread(read, document, domain)
        except IngestError as error:
            failed.append(Failure(document.source, str(error)))
            continue
        digest = fingerprint(p.id for p in passages)
        if stored.get(document.source) == digest:
            unchanged += 1
        else:
            await semantic.add(facts)
            await episodic.add(passages)
            await episodic.remove(document.source, keep={p.id for p in passages})
            stored[document.source] = digest
            done.append((len(passages), len(facts)))
        # Also of an unchanged one: another version of it may have been broken off after its facts came in.
        await semantic.remove(document.source, keep={f.id for f in facts})
    return IngestReport(
        documents=len(done),
        passages=sum(p for p, _ in done),
        facts=sum(f for _, f in done),
        unchanged=unchanged,
        failed=tuple(failed),
    )


def read(document: RawDocument, domain: Domain) -> tuple[tuple[Passage, ...], tuple[Fact, ...]]:
    """A document's passages and facts, not stored yet. Raises IngestError."""
    text = text_of(document)
    title = document.title or Path(document.source.partition("?")[0]).stem
    passages = cut(text, source=document.source, title=title, domain=domain)
    if not passages:
        raise IngestError(f"{document.source}: the document holds headings only")
    return passages, read_facts(passages)


def _attempt(source: str, reading: Callable[[], RawDocument]) -> RawDocument | Failure:
    try:
        return reading()
    except IngestError as error:
        return Failure(source, str(error))


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            Path(root, name)
            for name in sorted(names)
            if not name.startswith(".") and Path(name).suffix.lower() in MEDIA_TYPES
        ]
    return found


def _read(path: Path, max_bytes: int) -> RawDocument:
    """The file under its absolute path, so that the same file is the same source from anywhere."""
    kind = media_type(path.name)
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise IngestError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > max_bytes:
        raise too_large(str(path), max_bytes)
    return RawDocument(source=str(path.resolve()), data=data, media_type=kind, title=path.stem)

"""Finds and reads the documents of a file, a folder or a URL on this machine."""

import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from memory.errors import IngestError
from memory.ingest.documents import MAX_BYTES, RawDocument, too_large
from memory.ingest.loaders.formats import BY_EXTENSION, media_type
from memory.ingest.sources import checked_source, is_url, source_of
from memory.web.fetching import fetch

SNIFFED = 65_536
"""Bytes that tell the format of a file whose name does not."""
LINK = "a link to a folder: ingest that one"


class Failure(NamedTuple):
    """A document that could not be read, and the reason."""

    source: str
    reason: str


class Skipped(NamedTuple):
    """A file that is no document, or a folder that was not read, and the reason."""

    source: str
    reason: str
    unread: str = ""
    """What the names of the folder's documents begin with; empty for a file."""


class Found(NamedTuple):
    """A document that can be read."""

    source: str
    read: Callable[[], RawDocument]
    """Raises IngestError."""
    in_folder: bool = False
    """Whether its folder was to be read, rather than this document."""


def find(target: str, *, max_bytes: int = MAX_BYTES) -> Iterator[Found | Skipped | Failure]:
    """The documents of a file, a folder (recursively) or an http(s) URL; names what is none.

    Hidden files and folders are left out. Raises IngestError if the file or folder does not exist, or the
    folder has no documents.
    """
    if is_url(target):
        yield Found(target, partial(fetch, target, max_bytes=max_bytes))
        return
    if not target.strip():  # for example an unset shell variable; Path("") would be the current folder
        raise IngestError("the path is empty; give a path (`.` for this folder), or a URL")
    path = Path(target).expanduser()
    if path.is_dir():
        documents = 0
        for file in _files(path, path):
            found = file if isinstance(file, Skipped) else find_file(file, path, max_bytes=max_bytes)
            documents += not isinstance(found, Skipped)
            yield found
        if not documents:
            extensions = " ".join(sorted(BY_EXTENSION))
            raise IngestError(f"{target}: no document in this folder (looked for {extensions})")
    elif path.is_file():
        source = checked_source(source_of(path, path.parent))
        yield Found(source, partial(_read_file, path, source, max_bytes))
    else:
        raise IngestError(f"{target}: no such file or folder; give a path, or a URL with http:// or https://")


def find_file(file: Path, folder: Path, *, max_bytes: int = MAX_BYTES) -> Found | Skipped | Failure:
    """A file of a folder: a document, or why it is none."""
    shown = os.fsencode(file).decode("utf-8", "replace")
    try:
        source = source_of(file, folder)
        source.encode()
        source = checked_source(source)
    except UnicodeEncodeError:
        return Failure(shown, f"{shown}: its name is not UTF-8: rename the file")
    except IngestError as error:
        return Failure(shown, str(error))
    try:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):
            return Skipped(shown, f"{shown}: no regular file")
        if not found.st_size:
            return Skipped(shown, f"{shown}: empty")
        if file.suffix.lower() not in BY_EXTENSION:
            with file.open("rb") as opened:
                media_type(file.name, data=opened.read(SNIFFED))
    except OSError as error:
        return Failure(source, f"{shown} cannot be read: {error.strerror}")
    except IngestError:
        return Skipped(shown, f"{shown}: {file.suffix or 'this kind of file'} is not supported")
    return Found(source, partial(_read_file, file, source, max_bytes), in_folder=True)


def find_below(
    path: Path, folder: Path, *, max_bytes: int = MAX_BYTES
) -> Iterator[Found | Skipped | Failure]:
    """The documents of a file or folder that is in `folder`, named as that one's; none if it is gone."""
    if path.is_dir() and path.is_symlink():
        yield _skipped_folder(path, folder, LINK)
    elif path.is_dir():
        for file in _files(path, folder):
            yield file if isinstance(file, Skipped) else find_file(file, folder, max_bytes=max_bytes)
    elif path.is_file():
        yield find_file(path, folder, max_bytes=max_bytes)


def read_target(target: str, *, max_bytes: int = MAX_BYTES) -> Iterator[RawDocument | Failure]:
    """Reads the documents of `find`, one by one. Raises IngestError as `find` does.

    A document that cannot be read, or exceeds `max_bytes`, yields a Failure.
    """
    for found in find(target, max_bytes=max_bytes):
        if isinstance(found, Failure):
            yield found
        elif isinstance(found, Found):
            try:
                yield found.read()
            except IngestError as error:
                yield Failure(found.source, str(error))


def _files(below: Path, folder: Path) -> Iterator[Path | Skipped]:
    """The files below, which is the folder or in it; folders that cannot be read come last."""
    problems: list[OSError] = []
    for root, folders, names in os.walk(below, onerror=problems.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links = [Path(root, name) for name in folders if Path(root, name).is_symlink()]
        yield from (_skipped_folder(link, folder, LINK) for link in links)
        yield from (Path(root, name) for name in sorted(names) if not name.startswith("."))
    for problem in problems:
        reason = f"cannot be read: {problem.strerror}"
        yield _skipped_folder(Path(problem.filename), folder, reason)


def _skipped_folder(skipped: Path, folder: Path, reason: str) -> Skipped:
    shown = os.fsencode(skipped).decode("utf-8", "replace")
    try:
        unread = checked_source(source_of(skipped / "_", folder)).removesuffix("_")
    except IngestError:
        unread = ""  # no document has such a name
    return Skipped(shown, f"{shown}: {reason}", unread)


def _read_file(path: Path, source: str, max_bytes: int) -> RawDocument:
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise IngestError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > max_bytes:
        raise too_large(str(path), max_bytes)
    return RawDocument(source=source, data=data, media_type=media_type(path.name, data=data), title=path.stem)

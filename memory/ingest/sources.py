"""Names of documents: URLs, and paths of files below the folder that was ingested, never absolute ones."""

import re
import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

from memory.errors import IngestError

_SPACE = re.compile(r"\s")
MAX_CHARACTERS = 1000
"""Of a source's name."""
_URLS = ("http://", "https://")


def is_url(source: str) -> bool:
    """Whether the document is on the web."""
    return source.startswith(_URLS)


def source_of(file: Path, folder: Path) -> str:
    """The name of a file in a folder: the folder's own name and the path below it, with slashes.

    It is the same from every working directory, and tells nothing of where the folder is. A file that is
    ingested by itself is named by the folder that it is in.
    """
    name = folder.expanduser().resolve().name
    return (PurePosixPath(name) / file.relative_to(folder).as_posix()).as_posix()


def names_begin(folder: Path) -> str:
    """What the names of a folder's documents begin with, see `source_of`; empty for the root folder.

    Raises IngestError if no name can begin like that.
    """
    return checked_source(source_of(folder / "_", folder)).removesuffix("_")


def normalised_source(source: str) -> str:
    """The name as it is stored: composed characters, plain spaces, and none around it."""
    return unicodedata.normalize("NFC", _SPACE.sub(" ", source)).strip()


def checked_source(source: str) -> str:
    """The name that a client gives a document, normalised, and without white space around it.

    Raises IngestError unless it is a URL or a relative path, of printable characters and not too long: it is
    a key in every store, and they have to agree on it.
    """
    source = normalised_source(source)
    if not source or len(source) > MAX_CHARACTERS or not source.isprintable():
        raise IngestError(
            f"{source[:80]!r}: a source has 1 to {MAX_CHARACTERS} printable characters: shorten its name"
        )
    if is_url(source):
        return source
    path = PurePosixPath(source)
    absolute = path.is_absolute() or bool(PureWindowsPath(source).drive) or source.startswith(("~", "\\"))
    if absolute or ".." in path.parts or "://" in source:
        raise IngestError(
            f"{source}: a source is a URL (http:// or https://) or a relative path without `..`, such as"
            " manuals/quickstart.md; it is shown wherever the document is cited"
        )
    return source

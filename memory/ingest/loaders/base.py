"""What every loader takes and returns."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from memory.records.base import Record

MAX_CHARS = 4_000_000
"""Characters of extracted text: more than a real document of 5 MB has; a decompression bomb exceeds it."""


class Source(NamedTuple):
    """The bytes of one document. They are untrusted."""

    name: str
    """Path or URL, for messages."""
    data: bytes
    charset: str = ""
    """As declared by the HTTP header or the upload; empty if it was not."""


class Loaded(Record):
    """The text of a document, and what its file says of it."""

    text: str
    """With Markdown headings, lists, code and tables."""
    title: str = ""
    """From the document's properties; empty if it has none."""
    language: str = ""
    """ISO 639-1 code; empty if it is unknown."""
    charset: str = ""
    """The encoding that the bytes were decoded with; empty for formats that are not text."""
    licence: str = ""
    """As a web page states it; empty if it states none."""
    paywalled: bool = False
    """Whether a web page says that not all of it is there for free."""
    dated: datetime | None = None
    """The date that the document gives itself, see `loaders.document_dates`."""
    unread: tuple[str, ...] = ()
    """What was left out and why, such as `page 3: no text`."""


Loader = Callable[[Source], Loaded]
"""Reads one format. Raises IngestError with the reason if it cannot."""

"""Loads one document: text with Markdown structure, its language, and what was left unread.

The bytes are untrusted: every loader bounds what it unpacks, and an unreadable document raises IngestError
with the reason. Callers limit the size in bytes.
"""

import re

from memory.errors import IngestError, NothingToRead
from memory.ingest.language import language_of
from memory.ingest.loaders.base import Loaded, Source
from memory.ingest.loaders.formats import BY_MEDIA_TYPE
from memory.ingest.loaders.tables import with_repeated_headers
from memory.language.text import is_table_rule
from memory.records.base import Record
from memory.records.knowledge import WebOrigin

MAX_BYTES = 5_000_000
"""Default limit for the size of one document."""
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


class RawDocument(Record):
    """A document as it was read from disk or the web: source, media type and bytes."""

    source: str
    """Path or URL."""
    data: bytes
    media_type: str
    """See `memory.ingest.loaders.formats.media_type`."""
    charset: str = ""
    """As declared by the sender; empty if it was not."""
    title: str = ""
    """Fallback if neither the text has a heading of level 1 nor the file a title."""
    web: WebOrigin | None = None
    """Set by exploration; None for a document that a person chose."""


def too_large(source: str, max_bytes: int) -> IngestError:
    """The error for a document of more than `max_bytes`."""
    return IngestError(
        f"{source}: larger than the limit of {max_bytes} bytes: split it, or set"
        " NIGHTSCHOOL_MAX_DOCUMENT_BYTES"
    )


def load(document: RawDocument) -> Loaded:
    """The document's text with `\\n` line ends and the wrapped lines of each paragraph joined by spaces.

    For Markdown and text files without long tables, offsets into the text are also offsets into the file with
    its line ends normalised to `\\n`. Raises IngestError.
    """
    if not document.data.strip():
        raise NothingToRead(f"{document.source}: the document is empty")
    if document.media_type not in BY_MEDIA_TYPE:
        raise IngestError(f"{document.source}: {document.media_type} is not supported")
    source = Source(document.source, document.data, document.charset)
    loaded = BY_MEDIA_TYPE[document.media_type].load(source)
    text = loaded.text.encode(
        "utf-8", "replace"
    ).decode()  # PDFs may hold lone surrogates, which no store accepts
    text = _CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", ""))
    if not any(c.isalnum() for c in text):
        raise IngestError(f"{document.source}: the document contains no text")
    text, left_out = with_repeated_headers(unwrap_lines(text))
    language = language_of(text, declared=loaded.language)
    unread = (*loaded.unread, *left_out)
    return loaded.model_copy(update={"text": text, "language": language, "unread": unread})


def text_of(document: RawDocument) -> str:
    """The text of `load`. Raises IngestError."""
    return load(document).text


def unwrap_lines(text: str) -> str:
    """Joins the wrapped lines of paragraphs and list items; leaves code, tables and headings alone.

    The result has the same length.
    """
    lines = text.split("\n")
    pieces: list[str] = []
    fenced = table = False
    for line, next_line in zip(lines, [*lines[1:], ""], strict=True):
        fence = line.lstrip().startswith(("```", "~~~"))
        fenced = fenced != fence
        table = "|" in line and (table or is_table_rule(next_line))
        join = not fenced and not fence and not table and _is_wrapped(line, next_line)
        pieces.append(line + (" " if join else "\n"))
    return "".join(pieces)[: len(text)]


_STARTS_BLOCK = re.compile(r"\s*(?:#{1,6}\s|```|~~~|>|\||[-*+]\s|\d{1,3}[.)]\s|[-=_*]{3,}\s*$)")
_CODE_LINE = re.compile(r"(?: {4}|\t)")


def _is_wrapped(line: str, next_line: str) -> bool:
    """Whether `next_line` continues the paragraph or list item of `line`."""
    if not line.strip() or not next_line.strip() or _STARTS_BLOCK.match(next_line):
        return False
    if re.match(r"\s*(?:#{1,6}\s|\||[-=_*]{3,}\s*$)", line):
        return False
    in_item = re.match(r"\s*(?:[-*+]|\d{1,3}[.)])\s", line) is not None
    return in_item or not _CODE_LINE.match(line)

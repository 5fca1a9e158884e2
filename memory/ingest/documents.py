"""Extracts text with Markdown headings from the bytes of one document: Markdown, plain text, HTML or PDF.

The bytes are untrusted: pages, nesting and time are bounded, and an unreadable document raises IngestError
with the reason. Callers limit the size in bytes.
"""

import io
import re
import time
from pathlib import PurePosixPath
from typing import Literal

from memory.errors import IngestError
from memory.language.text import is_table_rule
from memory.records.base import Record

MediaType = Literal["text/markdown", "text/plain", "text/html", "application/pdf"]

MAX_BYTES = 5_000_000
"""Default limit for the size of one document."""
MAX_CHARS = 4_000_000
"""Characters of extracted text: more than a real document of 5 MB has; a decompression bomb exceeds it."""
MAX_PAGES = 2000
MAX_SECONDS = 60.0
"""Time limit for the pages of one PDF."""
MAX_TAGS = 200_000
"""Tags of an HTML document."""
MAX_DEPTH = 400
"""Nesting levels of an HTML document; deeper trees exhaust recursive parsers."""
MAX_CONTROL_SHARE = 0.01
"""Share of control characters above which decoded bytes count as binary."""

MEDIA_TYPES: dict[str, MediaType] = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".txt": "text/plain",
    ".text": "text/plain",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".pdf": "application/pdf",
}
"""Media type by file extension."""

_ALIASES: dict[str, MediaType] = {
    "text/x-markdown": "text/markdown",
    "application/xhtml+xml": "text/html",
    "application/x-pdf": "application/pdf",
}
_TAG = re.compile(rb"<(/?)([a-zA-Z][a-zA-Z0-9]*+)([^<>]*+)>")  # possessive: linear on any input
_NEVER_CLOSED = frozenset(
    b"area base br col embed hr img input link meta source track wbr p li td tr th dd dt".split()
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


class RawDocument(Record):
    """A document as it was read from disk or the web: source, media type and bytes."""

    source: str
    """Path or URL."""
    data: bytes
    media_type: MediaType
    title: str = ""
    """Fallback if the text has no heading of level 1."""


def media_type(name: str, declared: str = "") -> MediaType:
    """The media type of a file or response: the declared type, else by file extension. Raises IngestError."""
    declared_type = declared.partition(";")[0].strip().lower()
    for known in (*MEDIA_TYPES.values(), *_ALIASES):
        if declared_type == known and declared_type != "text/plain":
            return _ALIASES.get(declared_type) or known  # type: ignore[return-value]
    extension = PurePosixPath(name.partition("?")[0]).suffix.lower()
    if extension in MEDIA_TYPES and declared_type in {"", "text/plain", "application/octet-stream"}:
        return MEDIA_TYPES[extension]
    if declared_type == "text/plain":
        return "text/plain"
    raise IngestError(
        f"{name}: {declared_type or extension or 'a file without extension'} is not supported; use Markdown"
        " (.md), text (.txt), HTML or PDF"
    )


def too_large(source: str, max_bytes: int) -> IngestError:
    """The error for a document of more than `max_bytes`."""
    return IngestError(
        f"{source}: larger than the limit of {max_bytes} bytes: split it, or set"
        " NIGHTSCHOOL_MAX_DOCUMENT_BYTES"
    )


def text_of(document: RawDocument) -> str:
    """The document's text with `\\n` line ends and the wrapped lines of each paragraph joined by spaces.

    Joining keeps the length: for Markdown and text files, offsets into the result are also offsets into the
    file with its line ends normalised to `\\n`. Raises IngestError.
    """
    if not document.data.strip():
        raise IngestError(f"{document.source}: the document is empty")
    match document.media_type:
        case "application/pdf":
            text = _pdf_text(document)
        case "text/html":
            text = _html_text(document)
        case _:
            text = _decode(document)
    text = text.encode("utf-8", "replace").decode()  # PDFs may hold lone surrogates, which no store accepts
    text = _CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", ""))
    if not any(c.isalnum() for c in text):
        raise IngestError(f"{document.source}: the document contains no text")
    return unwrap_lines(text)


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


def _decode(document: RawDocument) -> str:
    data = document.data
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        problem = "binary" if b"\x00" in data[:8192] else "not valid UTF-8"
        raise IngestError(
            f"{document.source}: the file is {problem}; save it as UTF-8 text ({error})"
        ) from error
    if len(_CONTROL.findall(text)) > MAX_CONTROL_SHARE * len(text):
        raise IngestError(f"{document.source}: the file is binary, not text")
    return text


def _html_text(document: RawDocument) -> str:
    import trafilatura  # here because the import takes 0.5 s and only HTML needs it

    tags = document.data.count(b"<")
    if tags > MAX_TAGS:
        raise IngestError(f"{document.source}: the HTML has {tags} elements (limit {MAX_TAGS}); split it")
    depth = _nesting_depth(document.data)
    if depth > MAX_DEPTH:
        raise IngestError(
            f"{document.source}: the HTML is nested {depth} levels deep (limit {MAX_DEPTH}); simplify it"
        )
    if b"\x00" in document.data[:8192]:
        raise IngestError(f"{document.source}: the file is binary, not HTML")
    text = trafilatura.extract(
        document.data,
        output_format="markdown",
        include_comments=False,
        include_links=False,
        favor_precision=True,
    )
    if not text:
        raise IngestError(f"{document.source}: no main text was found in the HTML")
    if len(text) > MAX_CHARS:
        raise IngestError(f"{document.source}: the HTML unpacks to more than {MAX_CHARS} characters")
    return str(text)


def _nesting_depth(data: bytes) -> int:
    """The deepest nesting of elements; unclosed ones count too, except those that HTML allows unclosed."""
    depth = deepest = 0
    for closing, name, rest in _TAG.findall(data):
        if rest.endswith(b"/") or name.lower() in _NEVER_CLOSED:
            continue
        depth = max(0, depth - 1) if closing else depth + 1
        deepest = max(deepest, depth)
    return deepest


def _pdf_text(document: RawDocument) -> str:
    from pypdf import PdfReader
    from pypdf.errors import LimitReachedError, PyPdfError

    pages: list[str] = []
    length = 0
    deadline = time.monotonic() + MAX_SECONDS
    try:
        reader = PdfReader(io.BytesIO(document.data), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise IngestError(f"{document.source}: the PDF is encrypted; save it without a password")
        if len(reader.pages) > MAX_PAGES:
            raise IngestError(f"{document.source}: {len(reader.pages)} pages exceed the limit of {MAX_PAGES}")
        for page in reader.pages:
            pages.append(_page_text(page.extract_text()))
            length += len(pages[-1])
            if length > MAX_CHARS:
                raise IngestError(f"{document.source}: the PDF unpacks to more than {MAX_CHARS} characters")
            if time.monotonic() > deadline:
                raise IngestError(f"{document.source}: the PDF takes more than {MAX_SECONDS:.0f} s; split it")
    except LimitReachedError as error:
        raise IngestError(f"{document.source}: the PDF unpacks to more than is safe ({error})") from error
    except (
        PyPdfError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError,
        NotImplementedError, OSError, AssertionError,
    ) as error:  # fmt: skip
        # A malformed PDF can raise almost any of these inside the parser.
        raise IngestError(
            f"{document.source}: the PDF is malformed ({type(error).__name__}: {error})"
        ) from error
    if not "".join(pages).strip():
        raise IngestError(f"{document.source}: the PDF has no text layer; run OCR on it first")
    return "\n\n".join(pages)


def _page_text(text: str) -> str:
    """Joins hyphenated words, and ends a paragraph where a sentence ends on a short line."""
    joined = re.sub(r"(?<=[a-z])-\n(?=[a-z])", "", text)
    lines = joined.splitlines()
    longest = max((len(line) for line in lines), default=0)
    return "\n".join(
        line + ("\n" if line.rstrip().endswith((".", "!", "?")) and len(line) < 0.7 * longest else "")
        for line in lines
    )

"""Turns the bytes of one document into text with Markdown headings: Markdown, text, HTML, PDF.

Fetches nothing. Bytes are untrusted: pages, nesting and time are bounded, and what cannot be read raises
IngestError with the reason. How many bytes there may be is for whoever takes them in.
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
"""Of a document, where whoever takes it in is given no other limit."""
MAX_CHARS = 4_000_000
"""Of extracted text: more than any honest document of 5 MB holds, and what a zip bomb would exceed."""
MAX_PAGES = 2000
MAX_SECONDS = 60.0
"""For the pages of one PDF."""
MAX_TREE = 200_000
"""Elements of an HTML document."""
MAX_DEPTH = 400
"""Levels of nesting of an HTML document; deeper trees exhaust recursive parsers."""
MOST_CONTROLS = 0.01
"""Share of control characters beyond which decoded bytes are no text."""

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
"""By file ending."""

_ALIASES: dict[str, MediaType] = {
    "text/x-markdown": "text/markdown",
    "application/xhtml+xml": "text/html",
    "application/x-pdf": "application/pdf",
}
_TAG = re.compile(rb"<(/?)([a-zA-Z][a-zA-Z0-9]*+)([^<>]*+)>")  # possessive: linear on any input
_VOID = frozenset(
    b"area base br col embed hr img input link meta source track wbr p li td tr th dd dt".split()
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


class RawDocument(Record):
    """A document as it was found: where, what kind, and its bytes."""

    source: str
    """Path or URL."""
    data: bytes
    media_type: MediaType
    title: str = ""
    """Used where the document names none itself."""


def media_type(name: str, declared: str = "") -> MediaType:
    """What a file or response holds, by its declared type, else by its ending. Raises IngestError."""
    kind = declared.partition(";")[0].strip().lower()
    for known in (*MEDIA_TYPES.values(), *_ALIASES):
        if kind == known and kind != "text/plain":
            return _ALIASES.get(kind) or known  # type: ignore[return-value]
    ending = PurePosixPath(name.partition("?")[0]).suffix.lower()
    if ending in MEDIA_TYPES and kind in {"", "text/plain", "application/octet-stream"}:
        return MEDIA_TYPES[ending]
    if kind == "text/plain":
        return "text/plain"
    raise IngestError(
        f"{name}: {kind or ending or 'no ending'} is not supported; give Markdown (.md), text (.txt), HTML"
        " or PDF"
    )


def too_large(source: str, max_bytes: int) -> IngestError:
    """What to raise for a document of more than `max_bytes`."""
    return IngestError(
        f"{source}: larger than the limit of {max_bytes} bytes: split it, or set"
        " NIGHTSCHOOL_MAX_DOCUMENT_BYTES"
    )


def text_of(document: RawDocument) -> str:
    """The document's text, line ends as `\\n`, lines of one paragraph joined by spaces.

    Joining changes no length: offsets into the result of a Markdown or text file hold in the file, too,
    once its line ends are `\\n`. Raises IngestError.
    """
    if not document.data.strip():
        raise IngestError(f"{document.source}: the document is empty")
    match document.media_type:
        case "application/pdf":
            text = _pdf(document)
        case "text/html":
            text = _html(document)
        case _:
            text = _decoded(document)
    text = text.encode("utf-8", "replace").decode()  # a PDF may hold lone surrogates, which nothing can store
    text = _CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", ""))
    if not any(c.isalnum() for c in text):
        raise IngestError(f"{document.source}: no text was found in it")
    return unwrapped(text)


def unwrapped(text: str) -> str:
    """Joins the wrapped lines of paragraphs and list items; code, tables and headings stay. Same length."""
    lines = text.split("\n")
    pieces: list[str] = []
    fenced = table = False
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        fence = line.lstrip().startswith(("```", "~~~"))
        fenced = fenced != fence
        table = "|" in line and (table or is_table_rule(following))
        joins = not fenced and not fence and not table and _continues(line, following)
        pieces.append(line + (" " if joins else "\n"))
    return "".join(pieces)[: len(text)]


_STARTS_BLOCK = re.compile(r"\s*(?:#{1,6}\s|```|~~~|>|\||[-*+]\s|\d{1,3}[.)]\s|[-=_*]{3,}\s*$)")
_CODE_LINE = re.compile(r"(?: {4}|\t)")


def _continues(line: str, following: str) -> bool:
    if not line.strip() or not following.strip() or _STARTS_BLOCK.match(following):
        return False
    if re.match(r"\s*(?:#{1,6}\s|\||[-=_*]{3,}\s*$)", line):
        return False
    in_item = re.match(r"\s*(?:[-*+]|\d{1,3}[.)])\s", line) is not None
    return in_item or not _CODE_LINE.match(line)


def _decoded(document: RawDocument) -> str:
    data = document.data
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        kind = "binary" if b"\x00" in data[:8192] else "not valid UTF-8"
        raise IngestError(
            f"{document.source}: the file is {kind}; save it as UTF-8 text ({error})"
        ) from error
    if len(_CONTROL.findall(text)) > MOST_CONTROLS * len(text):
        raise IngestError(f"{document.source}: the file is binary, not text")
    return text


def _html(document: RawDocument) -> str:
    import trafilatura  # 0.5 s, which text files need not pay

    tags = document.data.count(b"<")
    if tags > MAX_TREE:
        raise IngestError(f"{document.source}: HTML of {tags} elements is refused (limit {MAX_TREE})")
    depth = _depth(document.data)
    if depth > MAX_DEPTH:
        raise IngestError(
            f"{document.source}: HTML nested {depth} levels deep is refused (limit {MAX_DEPTH})"
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
    return _bounded(str(text), document)


def _depth(data: bytes) -> int:
    """Deepest nesting of elements, counting those that are never closed, except where HTML allows it."""
    depth = deepest = 0
    for closing, name, rest in _TAG.findall(data):
        if rest.endswith(b"/") or name.lower() in _VOID:
            continue
        depth = max(0, depth - 1) if closing else depth + 1
        deepest = max(deepest, depth)
    return deepest


def _pdf(document: RawDocument) -> str:
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
            pages.append(_page(page.extract_text()))
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
        # A malformed PDF surfaces as almost any of these from inside the parser.
        raise IngestError(
            f"{document.source}: the PDF is malformed ({type(error).__name__}: {error})"
        ) from error
    if not "".join(pages).strip():
        raise IngestError(f"{document.source}: the PDF has no text layer; run OCR on it first")
    return "\n\n".join(pages)


def _page(text: str) -> str:
    """Joins words that a line end cut in two; a sentence that ends its line well short ends a paragraph."""
    joined = re.sub(r"(?<=[a-z])-\n(?=[a-z])", "", text)
    lines = joined.splitlines()
    longest = max((len(line) for line in lines), default=0)
    return "\n".join(
        line + ("\n" if line.rstrip().endswith((".", "!", "?")) and len(line) < 0.7 * longest else "")
        for line in lines
    )


def _bounded(text: str, document: RawDocument) -> str:
    if len(text) > MAX_CHARS:
        raise IngestError(f"{document.source}: it unpacks to more than {MAX_CHARS} characters")
    return text

"""Loads HTML: the main text of a page, without menus, adverts and comments."""

import re

from memory.errors import IngestError
from memory.ingest.loaders.base import MAX_CHARS, Loaded, Source
from memory.ingest.loaders.charset import decode
from memory.ingest.loaders.document_dates import page_date

MAX_TAGS = 200_000
"""Tags of an HTML document."""
MAX_DEPTH = 400
"""Nesting levels of an HTML document; deeper trees exhaust recursive parsers."""
HEAD = 4096
"""Bytes in which a page declares its charset; HTML asks for the first 1024."""
_TAG = re.compile(rb"<(/?)([a-zA-Z][a-zA-Z0-9]*+)([^<>]*+)>")  # possessive: linear on any input
_META = re.compile(
    rb"""<(?:meta|\?xml)\b[^<>]{0,200}?(?:charset|encoding)\s{0,9}=\s{0,9}["']?([\w.:-]{1,40})""",
    re.IGNORECASE,
)
_LANGUAGE = re.compile(rb"""<html\b[^<>]{0,400}?\blang\s{0,9}=\s{0,9}["']?([a-zA-Z]{2})\b""", re.IGNORECASE)
_NOT_FREE = re.compile(
    rb"isAccessibleForFree[\"']?\s{0,9}[:=]\s{0,9}[\"']?(?:https?://schema\.org/)?false", re.IGNORECASE
)
"""How publishers mark what is behind a paywall (schema.org)."""
LONGEST_LICENCE = 200
_NEVER_CLOSED = frozenset(
    b"area base br col embed hr img input link meta source track wbr p li td tr th dd dt".split()
)


def load_html(source: Source) -> Loaded:
    """The main text of the page as Markdown. Raises IngestError."""
    import trafilatura  # here because the import takes 0.5 s and only HTML needs it
    from trafilatura.metadata import extract_license

    check_html(source)
    meta = _META.search(source.data[:HEAD])
    page, charset = decode(source, meta[1].decode() if meta else "")
    tree = trafilatura.load_html(page.encode("utf-8", "replace").decode().replace("\x00", " "))
    if tree is None:
        raise IngestError(f"{source.name}: no main text was found in the HTML")
    licence, dated = extract_license(tree) or "", page_date(tree)
    text = trafilatura.extract(
        tree,
        output_format="markdown",
        include_comments=False,
        include_links=False,
        favor_precision=True,
    )
    if not text:
        raise IngestError(f"{source.name}: no main text was found in the HTML")
    if len(text) > MAX_CHARS:
        raise IngestError(f"{source.name}: the HTML unpacks to more than {MAX_CHARS} characters")
    language = _LANGUAGE.search(source.data[:HEAD])
    return Loaded(
        text=text,
        charset=charset,
        language=language[1].decode().lower() if language else "",
        licence=" ".join(licence.split())[:LONGEST_LICENCE],
        dated=dated,
        paywalled=_NOT_FREE.search(source.data) is not None,
    )


def check_html(source: Source) -> None:
    """Raises IngestError if the page has too many or too deeply nested elements for a parser."""
    tags = source.data.count(b"<")
    if tags > MAX_TAGS:
        raise IngestError(f"{source.name}: the HTML has {tags} elements (limit {MAX_TAGS}); split it")
    depth = _nesting_depth(source.data)
    if depth > MAX_DEPTH:
        raise IngestError(
            f"{source.name}: the HTML is nested {depth} levels deep (limit {MAX_DEPTH}); simplify it"
        )
    if b"\x00" in source.data[:8192] and not source.data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise IngestError(f"{source.name}: the file is binary, not HTML")


def _nesting_depth(data: bytes) -> int:
    """The deepest nesting of elements; unclosed ones count too, except those that HTML allows unclosed."""
    depth = deepest = 0
    for closing, name, rest in _TAG.findall(data):
        if rest.endswith(b"/") or name.lower() in _NEVER_CLOSED:
            continue
        depth = max(0, depth - 1) if closing else depth + 1
        deepest = max(deepest, depth)
    return deepest

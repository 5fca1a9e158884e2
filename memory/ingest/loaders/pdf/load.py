"""Loads a PDF: text in reading order, without running headers, footers and page numbers; scans by OCR."""

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from statistics import median

from memory.errors import IngestError
from memory.ingest.loaders.base import Loaded, Source
from memory.ingest.loaders.document_dates import first_date
from memory.ingest.loaders.pdf.layout import Line, blocks, lines_of, paragraphs
from memory.ingest.loaders.pdf.ocr import read_scan
from memory.ingest.loaders.pdf.pages import MAX_CHARACTERS, Page, Piece, check_pdf, open_pdf, pages

EDGE_LINES = 2
"""Lines at the upper and the lower edge of a page that may be a running header or footer."""
EDGE_SHARE = 0.12
"""Share of the page's height that counts as its edge."""
_DIGITS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(
    r"\W*(?:(?:page|seite|p\.)\s*)?\d{1,4}(?:\s*(?:/|of|von|\|)\s*\d{1,4})?\W*", re.IGNORECASE
)


def load_pdf(source: Source) -> Loaded:
    """The text of all pages; pages without text are named as unread. Raises IngestError."""
    check_pdf(source)
    unread: list[str] = []
    with closing(open_pdf(source)) as pdf:
        properties = pdf.get_metadata_dict()
        read = list(pages(source, pdf))
        running = _running_lines(read)
        scanned: dict[int, str] = {}
        for page in read:
            if all(id(piece) in running for piece in page.pieces):  # also of a scan with a stamp
                text, problem = read_scan(pdf, page.number)
                scanned[page.number] = _without(lines_of(page.pieces), text)
                unread += [f"page {page.number}: {problem}"] if problem else []
    cut = [
        f"page {page.number}: all after its first {MAX_CHARACTERS} characters" for page in read if page.cut
    ]
    if len(unread) == len(read):
        raise IngestError(f"{source.name}: the PDF has no text layer ({unread[0] if unread else 'no pages'})")
    sizes = [piece.size for page in read for piece in page.pieces for _ in range(min(len(piece.text), 200))]
    body = median(sizes) if sizes else 10.0
    texts: list[str] = []
    for page in read:
        kept = [piece for piece in page.pieces if id(piece) not in running]
        texts += [scanned[page.number]] if page.number in scanned else _page_text(kept, body)
    title = str(properties.get("Title") or "").strip()
    return Loaded(
        text=_joined(texts),
        title=_usable(title),
        # Programs that only repack a PDF set its ModDate.
        dated=first_date(properties.get(name) for name in ("CreationDate", "ModDate")),
        unread=tuple(_summary([*unread, *cut])),
    )


def _page_text(pieces: Sequence[Piece], body: float) -> list[str]:
    texts: list[str] = []
    for block in blocks(pieces):
        texts += [block] if isinstance(block, str) else paragraphs(block, body)
    return texts


def _joined(texts: Sequence[str]) -> str:
    """The paragraphs; one that breaks off at the end of a column or page goes on in the next."""
    joined: list[str] = []
    for text in filter(None, texts):
        last = joined[-1] if joined else ""
        breaks_off = last and not last.startswith(("#", "|", "- ")) and re.search(r"[\w,;-]$", last)
        if breaks_off and text[:1].islower():
            joined[-1] = last[:-1] + text if last.endswith("-") else f"{last} {text}"
        else:
            joined.append(text)
    return "\n\n".join(joined)


def _running_lines(read: Sequence[Page]) -> set[int]:
    """Ids of the pieces of lines that stand at the edges of many pages, and of page numbers."""
    edges = {page.number: _edge_lines(page) for page in read if page.pieces}
    pages_with = Counter(key for lines in edges.values() for key in {_key(line.text) for line in lines})
    often = max(2, 0.3 * len(edges))
    return {
        id(piece)
        for lines in edges.values()
        for line in lines
        if pages_with[_key(line.text)] >= often or _PAGE_NUMBER.fullmatch(line.text)
        for piece in line.pieces
    }


def _without(lines: Sequence[Line], text: str) -> str:
    """The text of a scan without these lines of its page, which OCR reads as well."""
    keys = {_key(line.text) for line in lines}
    return "\n".join(line for line in text.splitlines() if not keys or _key(line.strip()) not in keys)


def _edge_lines(page: Page) -> list[Line]:
    lines = lines_of(page.pieces)
    upper = [line for line in lines[:EDGE_LINES] if line.bottom < EDGE_SHARE * page.height]
    lower = [line for line in lines[-EDGE_LINES:] if line.top > (1 - EDGE_SHARE) * page.height]
    return upper + [line for line in lower if line not in upper]


def _key(line: str) -> str:
    """The line without the numbers that change from page to page."""
    return _DIGITS.sub("#", line.casefold())


def _usable(title: str) -> str:
    """The title in the properties, unless a program wrote it."""
    is_file = re.search(
        r"\.(?:docx?|tex|dvi|indd|pdf|qxd)$|^untitled|^\(|^microsoft word", title, re.IGNORECASE
    )
    return "" if is_file else title[:500]


def _summary(unread: Sequence[str]) -> list[str]:
    """The first problems, and the number of the others."""
    most = 20
    return [*unread[:most], *([f"{len(unread) - most} more pages"] if len(unread) > most else [])]

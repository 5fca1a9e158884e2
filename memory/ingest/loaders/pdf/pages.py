"""Reads the pieces of text on the pages of a PDF with pdfium: what they say, where, and how large."""

import io
from collections.abc import Iterator, Sequence
from contextlib import closing
from ctypes import byref
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from memory.errors import IngestError
from memory.ingest.loaders.base import MAX_CHARS, Source

MAX_PAGES = 2000
MAX_PAGE_BYTES = 50_000_000
"""Bytes that the drawing instructions of a page unpack to."""
MAX_CHARACTERS = 100_000
"""Of one page; the rest is left out, see `Page.cut`."""


@dataclass(frozen=True)
class Piece:
    """A run of characters on one line. The origin is the page's upper left corner, in points."""

    text: str
    left: float
    right: float
    top: float
    bottom: float
    size: float
    """Height of the font."""


@dataclass(frozen=True)
class Page:
    """A page's text; a page without any may be a scan."""

    number: int
    height: float
    pieces: tuple[Piece, ...]
    cut: bool = False
    """Whether it has more than MAX_CHARACTERS."""


def check_pdf(source: Source) -> None:
    """Raises IngestError for a malformed or encrypted PDF, and for one that unpacks to too much.

    pypdf bounds what a stream unpacks to, which pdfium does not.
    """
    from pypdf import PdfReader
    from pypdf.errors import LimitReachedError, PyPdfError

    try:
        reader = PdfReader(io.BytesIO(source.data), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise IngestError(f"{source.name}: the PDF is encrypted; save it without a password")
        if len(reader.pages) > MAX_PAGES:
            raise IngestError(f"{source.name}: {len(reader.pages)} pages exceed the limit of {MAX_PAGES}")
        for page in reader.pages:
            contents = page.get_contents()
            if contents is not None and len(contents.get_data()) > MAX_PAGE_BYTES:
                raise LimitReachedError(f"a page of more than {MAX_PAGE_BYTES} bytes")
    except LimitReachedError as error:
        raise IngestError(f"{source.name}: the PDF unpacks to more than is safe ({error})") from error
    except (
        PyPdfError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError,
        NotImplementedError, OSError, AssertionError,
    ) as error:  # fmt: skip
        # A malformed PDF can raise almost any of these inside the parser.
        raise IngestError(f"{source.name}: the PDF is malformed ({type(error).__name__}: {error})") from error


def open_pdf(source: Source) -> Any:
    """The document in pdfium; close it. Raises IngestError."""
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(source.data)
    except pypdfium2.PdfiumError as error:
        raise IngestError(f"{source.name}: the PDF is malformed ({error})") from error


def pages(source: Source, pdf: Any) -> Iterator[Page]:
    """The pages in order. Raises IngestError."""
    import pypdfium2

    length = 0
    for number in range(len(pdf)):
        try:
            with closing(pdf[number]) as page, closing(page.get_textpage()) as text:
                height = float(page.get_height())
                pieces = tuple(_pieces(text, height))
                cut = text.count_chars() > MAX_CHARACTERS
        except pypdfium2.PdfiumError:
            height, pieces, cut = 0.0, (), False  # a page that pdfium cannot load is one without text
        length += sum(len(piece.text) for piece in pieces)
        if length > MAX_CHARS:
            raise IngestError(f"{source.name}: the PDF unpacks to more than {MAX_CHARS} characters")
        yield Page(number + 1, height, pieces, cut)


class _Character(NamedTuple):
    """A visible character and its place; `top` and `bottom` are those of its font."""

    text: str
    left: float
    right: float
    top: float
    bottom: float
    after_space: bool

    @property
    def size(self) -> float:
        return max(self.bottom - self.top, 1.0)


def _pieces(text: Any, height: float) -> Iterator[Piece]:
    """The runs of characters, broken at wide gaps, line ends and changes of size."""
    run: list[_Character] = []
    for character in _characters(text, height):
        if run and not _continues(run[-1], character):
            yield _piece(run)
            run = []
        run.append(character)
    if run:
        yield _piece(run)


def _characters(text: Any, height: float) -> Iterator[_Character]:
    from pypdfium2 import raw

    box = raw.FS_RECTF()
    space = False
    for index in range(min(text.count_chars(), MAX_CHARACTERS)):
        character = chr(min(raw.FPDFText_GetUnicode(text, index), 0x10FFFF))
        if character.isspace() or not character.isprintable():
            hyphen = character == "\x02"  # pdfium's mark of a hyphen at the end of a line
            space = space or not hyphen
            if not hyphen:
                continue
            character = "-"
        if raw.FPDFText_GetLooseCharBox(text, index, byref(box)) and box.right > box.left:
            yield _Character(character, box.left, box.right, height - box.top, height - box.bottom, space)
        space = False


def _continues(last: _Character, next_: _Character) -> bool:
    """Whether the second follows the first on the line, in about its size, without a wide gap."""
    em = max(last.size, next_.size)
    overlap = min(last.bottom, next_.bottom) - max(last.top, next_.top)
    return overlap > 0.4 * min(last.size, next_.size) and -0.6 * em < next_.left - last.right < 0.9 * em


def _piece(run: Sequence[_Character]) -> Piece:
    """The run as text, with the spaces that were drawn or that its gaps stand for."""
    text = run[0].text
    for last, next_ in pairwise(run):
        is_gap = next_.left - last.right > 0.13 * max(last.size, next_.size)
        text += (" " if next_.after_space or is_gap else "") + next_.text
    return Piece(
        text=text,
        left=run[0].left,
        right=max(each.right for each in run),
        top=min(each.top for each in run),
        bottom=max(each.bottom for each in run),
        size=sorted(each.size for each in run)[len(run) // 2],
    )

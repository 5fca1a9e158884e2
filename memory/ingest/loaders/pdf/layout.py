"""The reading order of a page: columns one after the other, tables as rows, paragraphs from lines."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from memory.ingest.loaders.pdf.pages import Piece
from memory.ingest.loaders.tables import markdown_table

FEWEST_ROWS = 3
"""Rows of a table, with its header."""
LONGEST_CELL = 6.0
"""Mean words of a table's cells; the lines of a column of prose are longer."""
_CONTINUES = re.compile(r"[a-z,;:)]")
_ENDS = re.compile(r"[.!?:;\u3002\uff01\uff1f][\"'\u201d\u2019)]?$")
_BULLET = re.compile(r"[\u2022\u25cf\u25aa\u25e6\u2023\u2043\xb7\u25a0*\u2013-](?:\s+|$)")
_NUMBERED = re.compile(r"(?:\d{1,3}|[a-z])[.)]\s+\S")


@dataclass(frozen=True)
class Line:
    """The pieces of one line, from left to right."""

    pieces: tuple[Piece, ...]

    @property
    def top(self) -> float:
        return min(piece.top for piece in self.pieces)

    @property
    def bottom(self) -> float:
        return max(piece.bottom for piece in self.pieces)

    @property
    def left(self) -> float:
        return self.pieces[0].left

    @property
    def right(self) -> float:
        return max(piece.right for piece in self.pieces)

    @property
    def size(self) -> float:
        return max(piece.size for piece in self.pieces)

    @property
    def text(self) -> str:
        return " ".join(piece.text for piece in self.pieces)


def lines_of(pieces: Sequence[Piece]) -> list[Line]:
    """The pieces as lines, from top to bottom."""
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda each: (each.bottom, each.left)):
        last = rows[-1] if rows else []
        if last and _overlap(last[0], piece) > 0.5 * min(
            last[0].bottom - last[0].top, piece.bottom - piece.top
        ):
            last.append(piece)
        else:
            rows.append([piece])
    return [Line(tuple(sorted(row, key=lambda each: each.left))) for row in rows]


def blocks(pieces: Sequence[Piece], depth: int = 0) -> Iterator[str | list[Line]]:
    """The tables (as Markdown) and the runs of lines of a page or column, in reading order."""
    gutter = _gutter(pieces) if depth < 6 else None
    if gutter is None:
        if lines := lines_of(pieces):
            yield lines
        return
    for band, split in _bands(pieces, gutter):
        if not split:
            yield from blocks(band, depth + 1) if len(band) < len(pieces) else [lines_of(band)]
        elif table := _table(band):
            above, markdown, below = table
            yield from filter(None, (above, markdown, below))
        else:
            yield from blocks([piece for piece in band if piece.right <= gutter], depth + 1)
            yield from blocks([piece for piece in band if piece.left >= gutter], depth + 1)


def _gutter(pieces: Sequence[Piece]) -> float | None:
    """The place that separates most pieces into two columns side by side; None if there is none."""
    best, best_score = None, 1
    starts = sorted({round(piece.left) for piece in pieces})
    for start in starts[:200]:
        x = start - 2.0
        score = sum(
            min(sum(p.right <= x for p in band), sum(p.left >= x for p in band))
            for band, split in _bands(pieces, x)
            if split
        )
        if score > best_score:
            best, best_score = x, score
    return best


def _bands(pieces: Sequence[Piece], x: float) -> list[tuple[list[Piece], bool]]:
    """The pieces from top to bottom, cut where one crosses `x`; and whether a band has two sides.

    Pieces of one side only, above or below the other side, belong to the text around the columns.
    """
    bands: list[tuple[list[Piece], bool]] = []
    run: list[Piece] = []
    for piece in sorted(pieces, key=lambda each: (each.bottom, each.left)):
        if piece.left < x < piece.right:
            bands += _split_run(run, x)
            bands.append(([piece], False))
            run = []
        else:
            run.append(piece)
    bands += _split_run(run, x)
    joined: list[tuple[list[Piece], bool]] = []
    for band, split in bands:
        if joined and not split and not joined[-1][1]:
            joined[-1][0].extend(band)
        else:
            joined.append(([*band], split))
    return joined


def _split_run(run: list[Piece], x: float) -> list[tuple[list[Piece], bool]]:
    """A run without crossing pieces, and whether it has pieces beside each other."""
    left = [piece for piece in run if piece.right <= x]
    right = [piece for piece in run if piece.left >= x]
    beside = any(_overlap(a, b) > 0 for a in left[:200] for b in right[:200])
    return [(run, beside)] if run else []


def _table(pieces: Sequence[Piece]) -> tuple[list[Line], str, list[Line]] | None:
    """The Markdown table that the pieces are, with the lines above and below it.

    A table has rows of short cells below each other. None if they are columns of text.
    """
    rows = lines_of(pieces)
    wide = [number for number, row in enumerate(rows) if len(row.pieces) > 1]
    if len(wide) < FEWEST_ROWS:
        return None
    first, last = wide[0], wide[-1] + 1
    above, rows, below = rows[:first], rows[first:last], rows[last:]
    words = [len(piece.text.split()) for row in rows for piece in row.pieces]
    if len(wide) < 0.6 * len(rows) or sum(words) / len(words) > LONGEST_CELL or _reads_downwards(rows):
        return None
    edges = _columns([piece for row in rows for piece in row.pieces])
    table: list[list[str]] = []
    for row in rows:
        cells = [""] * len(edges)
        for piece in row.pieces:
            column = max((n for n, edge in enumerate(edges) if edge <= piece.left + 1), default=0)
            cells[column] = f"{cells[column]} {piece.text}".strip()
        if table and not cells[0]:  # cells that go on in the next line
            table[-1] = [f"{a} {b}".strip() for a, b in zip(table[-1], cells, strict=True)]
        else:
            table.append(cells)
    return above, markdown_table(table), below


def _reads_downwards(rows: Sequence[Line]) -> bool:
    """Whether the first pieces of the rows are the lines of one text, not cells."""
    firsts = [row.pieces[0].text for row in rows]
    going_on = sum(
        not _ENDS.search(above) and _CONTINUES.match(below) is not None and len(above.split()) > 2
        for above, below in pairwise(firsts)
    )
    return going_on > 0.3 * (len(firsts) - 1)


def _columns(pieces: Sequence[Piece]) -> list[float]:
    """The left edges of the columns: where no piece is, from top to bottom."""
    edges: list[float] = []
    reach = float("-inf")
    for piece in sorted(pieces, key=lambda each: each.left):
        if piece.left > reach:
            edges.append(piece.left)
        reach = max(reach, piece.right)
    return edges


def paragraphs(lines: Sequence[Line], body: float) -> Iterator[str]:
    """The lines as paragraphs, list items and headings; `body` is the size of the document's running text."""
    width = max((line.right for line in lines), default=0.0) - min((line.left for line in lines), default=0.0)
    pitch = median([b.bottom - a.bottom for a, b in pairwise(lines)] or [0.0])
    part: list[Line] = []
    for line in lines:
        if part and _breaks(part[-1], line, width, pitch):
            yield _paragraph(part, body)
            part = []
        part.append(line)
    if part:
        yield _paragraph(part, body)


def _breaks(last: Line, line: Line, width: float, pitch: float) -> bool:
    distance = line.bottom - last.bottom
    if abs(last.size - line.size) > 0.12 * max(last.size, line.size):
        return True
    if distance > 1.35 * max(pitch, last.size) or distance < 0:
        return True
    if _BULLET.match(line.text) or _NUMBERED.match(line.text):
        return True
    return _ENDS.search(last.text) is not None and last.right - last.left < 0.7 * width


def _paragraph(lines: Sequence[Line], body: float) -> str:
    text = lines[0].text
    for line in lines[1:]:
        hyphenated = re.search(r"[^\W\d_]-$", text) and line.text[:1].islower()
        text = text[:-1] + line.text if hyphenated else f"{text} {line.text}"
    size = median(line.size for line in lines)
    if size > 1.15 * body and len(text.split()) <= 15 and any(c.isalpha() for c in text):
        return f"{'#' * (1 if size > 1.55 * body else 2)} {text}"
    bullet = _BULLET.match(text)
    return f"- {text[bullet.end() :]}" if bullet and bullet.end() < len(text) else text


def _overlap(a: Piece, b: Piece) -> float:
    return min(a.bottom, b.bottom) - max(a.top, b.top)

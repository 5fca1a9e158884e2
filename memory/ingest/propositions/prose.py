"""Extracts the prose of a passage for the parser: without Markdown marks, with offsets into the passage."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from memory.language.normalisation import normalised_runs
from memory.language.text import stretches

LONGEST = 4000
"""Characters of one stretch of prose that are parsed; the rest is ignored."""

_MARKS = re.compile(
    r"(?P<image>!\[[^\]\n]{0,300}\]\([^)\n]{0,500}\))"
    r"|(?P<link>\[(?=[^\[\]\n]{1,300}\][(\[])|\](?:\([^)\n]{0,500}\)|\[[^\]\n]{0,100}\]))"
    r"|(?P<code>``?(?P<inside>[^`\n]{1,200})``?)"
    r"|(?P<note>\[\^?[\w ?]{1,40}\])"
    r"|(?P<mark>(?m:^[ \t]*>[ \t]?))"
    r"|(?P<label>(?m:^[ \t]*(?:===|!!!|\?\?\?\+?|:::)(?:[ \t][^\n]*)?$))"
    r"|(?P<tag></?[a-zA-Z][^<>\n]{0,200}>)"
    r"|(?P<emphasis>\*\*|__|(?<![\w*])[*_](?=\S)|(?<=\S)[*_](?![\w*]))"
    r"|(?P<space>\s+)"
)


@dataclass(frozen=True)
class Prose:
    """Cleaned prose in one spelling; `text[i]` is at `offset_of(i)` in the passage."""

    text: str
    code: tuple[tuple[int, int], ...]
    """Spans of `text` that are code."""
    starts: tuple[int, ...]
    """Ascending positions in `text` where runs of unchanged characters begin."""
    offsets: tuple[int, ...]
    """The position of each run in the passage."""

    def offset_of(self, position: int) -> int:
        """The position in the passage of the character at `position`."""
        run = bisect_right(self.starts, position) - 1
        return self.offsets[run] + position - self.starts[run]


def prose(text: str) -> Iterator[Prose]:
    """The running text, in order: paragraphs and list items, without headings, tables and code."""
    for start, end, kind in stretches(text):
        if kind == "prose":
            for first, last in _paragraphs(text, start, min(end, start + LONGEST)):
                yield _cleaned(text, first, last)


def _paragraphs(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for match in re.finditer(r"\S(?:[^\n]|\n(?!\s*\n))*", text[start:end]):
        yield start + match.start(), start + match.end()


def _cleaned(text: str, start: int, end: int) -> Prose:
    pieces: list[str] = []
    code: list[tuple[int, int]] = []
    starts: list[int] = []
    offsets: list[int] = []
    length = 0

    def keep(piece: str, offset: int) -> None:
        nonlocal length
        for run, shift in normalised_runs(piece):
            if run:
                starts.append(length)
                offsets.append(offset + shift)
                pieces.append(run)
                length += len(run)

    at = start
    for mark in _MARKS.finditer(text, start, end):
        keep(text[at : mark.start()], at)
        at = mark.end()
        if mark["code"] is not None:
            code.append((length, length + len(mark["inside"])))
            keep(mark["inside"], mark.start("inside"))
        elif mark["space"] is not None:
            keep(" ", mark.start())
    keep(text[at:end], at)
    return Prose("".join(pieces), tuple(code), tuple(starts) or (0,), tuple(offsets) or (start,))

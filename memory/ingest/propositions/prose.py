"""The prose of a passage as a parser wants it: without Markdown marks, with the way back to the source."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from memory.language.text import stretches

LONGEST = 4000
"""Characters of one stretch that are parsed; what comes after is no sentence any more."""

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
    """A stretch of prose, cleaned: `text[i]` stands at `offset_of(i)` of the passage."""

    text: str
    code: tuple[tuple[int, int], ...]
    """Spans of `text` that were set as code."""
    starts: tuple[int, ...]
    """Ascending positions in `text` at which a run of unchanged characters begins..."""
    offsets: tuple[int, ...]
    """... and where each run begins in the passage."""

    def offset_of(self, position: int) -> int:
        """Where the character at `position` stands in the passage."""
        run = bisect_right(self.starts, position) - 1
        return self.offsets[run] + position - self.starts[run]


def prose(text: str) -> Iterator[Prose]:
    """The stretches of running text, in order: paragraphs and list items, no headings, tables or code."""
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
        if piece:
            starts.append(length)
            offsets.append(offset)
            pieces.append(piece)
            length += len(piece)

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

"""Splits a document's text into passages along headings and paragraphs, with exact offsets.

Passages cover all of the text except the headings, which become the `section` of the passages below them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from memory.episodic.base import explored_id
from memory.language.text import quotable
from memory.records.base import digest_of
from memory.records.knowledge import Passage, WebOrigin

TARGET_WORDS = 120
"""A passage with this many words is complete. Passages have about 80 to 160 words: a few sentences."""
MAX_WORDS = 160
MAX_CHARS = 4000
"""Limit for text without sentences, such as a data file or a long code block."""
VERSION = 6
"""Part of each passage's id. Increase it when passages or facts are read differently; documents are then read
again at the next ingest."""
LONGEST_HEADING = 200
"""Characters of a heading that are kept; every passage below repeats it."""

_HEADING = re.compile(r"^[ \t]*(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_VISIBLE = re.compile(r"\S")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)")


@dataclass(frozen=True)
class Block:
    """A paragraph, list or code block `text[start:end]`, with the headings above it."""

    start: int
    end: int
    headings: tuple[str, ...]
    code: bool = False


def passages(
    text: str,
    *,
    source: str,
    title: str,
    domain: str,
    owner: str | None = None,
    language: str = "",
    web: WebOrigin | None = None,
) -> tuple[Passage, ...]:
    """All passages of a document, in order; `title` is used if the text has no heading of level 1."""
    blocks = tuple(_blocks(text))
    document_title = next((b.headings[0] for b in blocks if b.headings and b.headings[0]), "") or title
    return tuple(
        _passage(
            text[start:end],
            start,
            source=source,
            title=document_title,
            section=headings,
            domain=domain,
            owner=owner,
            language=language,
            web=web,
        )
        for headings, group in groupby(blocks, key=lambda block: block.headings)
        for start, end in _pack(text, list(group))
    )


def _passage(
    text: str,
    start: int,
    *,
    source: str,
    title: str,
    section: tuple[str, ...],
    domain: str,
    owner: str | None,
    language: str,
    web: WebOrigin | None,
) -> Passage:
    passage = Passage(
        id="",
        source=source,
        title=title,
        section=" > ".join(h for h in section if h),
        domain=domain,
        owner=owner,
        language=language,
        text="",
        start=start,
        end=start + len(text),
        digest=digest_of(""),
        web=web,
    )
    return with_text(passage, text)


def with_text(passage: Passage, text: str) -> Passage:
    """The passage with another text of the same length, and thus with another id."""
    digest = digest_of(text)
    named = (passage.domain, passage.owner, passage.source, passage.title, passage.section)
    id_ = digest_of([VERSION, *named, passage.start, digest])[:32]
    web = passage.web is not None
    return passage.model_copy(
        update={"id": explored_id(id_) if web else id_, "text": text, "digest": digest, "added_at": None}
    )


def _blocks(text: str) -> Iterator[Block]:
    headings: tuple[str, ...] = ()
    begin: int | None = None
    fenced = False
    code = False
    offset = 0
    for line in text.splitlines(keepends=True):
        heading = None if fenced else _HEADING.match(line.rstrip("\n")[:LONGEST_HEADING])
        if _FENCE.match(line):
            fenced = not fenced
            code = True
        if begin is not None and not fenced and (heading or not line.strip()):
            yield Block(begin, _stripped_end(text, begin, offset), headings, code)
            begin, code = None, False
        if heading:
            level = len(heading[1])
            headings = (
                *headings[: level - 1],
                *[""] * (level - 1 - len(headings)),
                heading[2],
            )
        elif begin is None and line.strip():
            begin = offset
        offset += len(line)
    if begin is not None:
        yield Block(begin, _stripped_end(text, begin, len(text)), headings, code)


def _stripped_end(text: str, begin: int, end: int) -> int:
    return begin + len(text[begin:end].rstrip())


def _pack(text: str, blocks: list[Block]) -> Iterator[tuple[int, int]]:
    """Joins neighbouring pieces into spans of passage size."""
    spans: list[tuple[int, int]] = []
    for start, end in [piece for block in blocks for piece in _pieces(text, block)]:
        if spans:
            first, last = spans[-1]
            has_room = _word_count(text[first:last]) < TARGET_WORDS
            if has_room and _word_count(text[first:end]) <= MAX_WORDS and end - first <= MAX_CHARS:
                spans[-1] = (first, end)
                continue
        spans.append((start, end))
    return iter(spans)


def _pieces(text: str, block: Block) -> Iterator[tuple[int, int]]:
    """The span of the block, or, if it is too long, spans of consecutive sentences, items or table rows."""
    piece = text[block.start : block.end]
    if block.code or _word_count(piece) <= MAX_WORDS:
        yield from _split_by_chars(text, block.start, block.end)
        return
    first: int | None = None
    last = 0
    spans = list(quotable(piece))
    if spans:  # a list marker or a table's header row belongs to the first span
        spans[0] = (0, spans[0][1])
    for start, end in spans:
        if first is not None and _word_count(piece[first:end]) > TARGET_WORDS:
            yield from _split_by_chars(text, block.start + first, block.start + last)
            first = None
        first = start if first is None else first
        last = end
    if first is not None:
        yield from _split_by_chars(text, block.start + first, block.start + last)


def _split_by_chars(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Splits a span into spans of at most MAX_CHARS, between words if possible."""
    while end - start > MAX_CHARS:
        space = max(text.rfind(mark, start + MAX_CHARS // 2, start + MAX_CHARS) for mark in (" ", "\n"))
        middle = space if space > 0 else start + MAX_CHARS
        yield start, middle
        word = _VISIBLE.search(text, middle, end)
        start = word.start() if word else end
    if start < end:
        yield start, end


def _word_count(text: str) -> int:
    return len(text.split())

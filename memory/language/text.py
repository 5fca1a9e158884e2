"""Words, sentences and quotable stretches of text, and the key under which two spellings of a name are one.

The rules are for English.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_BREAK = re.compile(r"(?<=[.!?])[\"'\u201d)\]*_]*\s+|\n\s*\n|(?<=[\u3002\uff01\uff1f])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|cf|vs|al|dr|mr|mrs|ms|st|no|fig|approx|ca)|\b[a-z])\.$", re.IGNORECASE
)
LONGEST_ABBREVIATION = 12
"""Characters before a full stop that are looked at; all of them would take quadratic time."""
_ARTICLES = frozenset({"a", "an", "the"})
_PLURAL_EXCEPTIONS = ("ss", "us", "is", "as", "os")


def words(text: str) -> tuple[str, ...]:
    """Lower-case words in order, without possessive endings; marks such as `<` or `_` separate words."""
    return tuple(w.lower().replace("\u2019", "'").removesuffix("'s") for w in _WORD.findall(text))


def singular(word: str) -> str:
    """The word without a regular English plural ending; both sides of a comparison are cut alike."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "sses", "xes", "zes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(_PLURAL_EXCEPTIONS):
        return word[:-1]
    return word


def key(name: str) -> str:
    """What names are compared by: singular lower-case words without articles (`The Box<T>s` -> `box t`).

    A name without a letter or digit, such as `&`, is its own key.
    """
    kept = [singular(w) for w in words(name)]
    while len(kept) > 1 and kept[0] in _ARTICLES:
        del kept[0]
    return " ".join(kept) or " ".join(name.split())


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Spans of the sentences of `text`, in order, without the white space around them.

    A full stop ends one only before something that can begin the next: not before a lower-case word, and
    not after an abbreviation.
    """
    begin = 0
    for match in _BREAK.finditer(text):
        before = text[max(begin, match.start() - LONGEST_ABBREVIATION) : match.start()]
        after = text[match.end() : match.end() + 1]
        paragraph = match[0].count("\n") > 1
        if not paragraph and (after.islower() or _ABBREVIATION.search(before)):
            continue
        yield from _stripped(text, begin, match.end())
        begin = match.end()
    yield from _stripped(text, begin, len(text))


def quotable(text: str) -> Iterator[tuple[int, int]]:
    """Spans that can be quoted on their own, in order: sentences, list items, table rows, code blocks.

    A list item of several sentences is cut into these. Headings, and a table's header row and rule, are none.
    """
    for start, end, kind in stretches(text):
        if kind == "prose":
            yield from ((start + a, start + b) for a, b in sentences(text[start:end]))
        elif kind in ("row", "code"):
            yield from _stripped(text, start, end)


def header(text: str, position: int) -> tuple[str, ...]:
    """The column names of the table row that begins at `position`; () where there is none."""
    names: tuple[str, ...] = ()
    for start, end, kind in stretches(text):
        if start > position:
            break
        if kind == "header":
            names = cells(text[start:end])
        elif kind != "row" and kind != "rule":
            names = ()
    return names


def cells(row: str) -> tuple[str, ...]:
    """The cells of a Markdown table row."""
    return tuple(cell.strip() for cell in row.strip().strip("|").split("|"))


_ROW = re.compile(r"[ \t]*\|.*\|[ \t]*$")
_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?[ \t]*$")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+(?=\S)")
_FENCE = re.compile(r"[ \t]*(?:```|~~~)")
_HEADING = re.compile(r"[ \t]*#{1,6}[ \t]")


def is_table_rule(line: str) -> bool:
    """Whether the line is the rule under a Markdown table's header row, such as `--- | ---`."""
    return "|" in line and _RULE.match(line) is not None


def stretches(text: str) -> Iterator[tuple[int, int, str]]:
    """The text in stretches of one kind: prose, code, header, rule, row or heading."""
    lines: list[tuple[int, str]] = []
    offset = 0
    for line in text.splitlines(keepends=True):
        lines.append((offset, line))
        offset += len(line)
    lines.append((offset, ""))
    begin: int | None = None
    fenced: int | None = None
    table = False
    for (start, line), (_, following) in pairwise(lines):
        kind = _kind(line, following, table) if fenced is None else "prose"
        table = kind in ("header", "rule", "row")
        fence = _FENCE.match(line) is not None
        if begin is not None and fenced is None and (kind != "prose" or fence or _ITEM.match(line)):
            yield begin, start, "prose"
            begin = None
        if fence and fenced is None:
            fenced = start
        elif fence and fenced is not None:
            yield fenced, start + len(line), "code"
            fenced = None
        elif fenced is None and kind != "prose":
            yield start, start + len(line), kind
        elif fenced is None and begin is None:
            item = _ITEM.match(line)
            begin = start + (item.end() if item else 0)
    if fenced is not None:
        yield fenced, len(text), "code"
    elif begin is not None:
        yield begin, len(text), "prose"


def _kind(line: str, following: str, table: bool) -> str:
    """The kind of a line outside code; `table` tells that the line before it belongs to a table."""
    if _HEADING.match(line):
        return "heading"
    if is_table_rule(line.rstrip("\n")):
        return "rule"
    if "|" in line and is_table_rule(following.rstrip("\n")):
        return "header"
    return "row" if _ROW.match(line.rstrip("\n")) or (table and "|" in line) else "prose"


def _stripped(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[begin:end]
    if kept := piece.strip():
        start = begin + piece.index(kept)
        yield start, start + len(kept)

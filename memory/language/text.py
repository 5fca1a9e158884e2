"""Splits English text into words, sentences and quotable spans, and normalises names for comparison."""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from memory.language.normalisation import normalised, segmented
from memory.language.wordlists import common_words

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_BREAK = re.compile(r"(?<=[.!?])[\"'\u201d)\]*_]*\s+|\n\s*\n|(?<=[\u3002\uff01\uff1f])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|cf|vs|al|dr|mr|mrs|ms|st|no|fig|approx|ca)|\b[a-z])\.$", re.IGNORECASE
)
LONGEST_ABBREVIATION = 12
"""Characters before a full stop that are checked for an abbreviation; checking all would be quadratic."""
ARTICLES = frozenset({"a", "an", "the"})
_IRREGULAR = """
    men man|women woman|children child|people person|mice mouse|feet foot|teeth tooth|geese goose|oxen ox
    |indices index|matrices matrix|vertices vertex|appendices appendix|criteria criterion
    |phenomena phenomenon|analyses analysis|crises crisis|theses thesis|hypotheses hypothesis
    |diagnoses diagnosis|parentheses parenthesis|syntheses synthesis|synopses synopsis|oases oasis
    |knives knife|wives wife|wolves wolf|shelves shelf|halves half|calves calf|thieves thief|loaves loaf
    |scarves scarf|selves self|elves elf"""
IRREGULAR_PLURALS: dict[str, str] = dict(pair.split() for pair in _IRREGULAR.split("|"))
_WITHOUT_PLURAL = frozenset({"series", "species", "news", "lens", "means", "always", "perhaps", "besides"})
_PLURAL_EXCEPTIONS = ("ss", "us", "is", "as", "os")


def words(text: str) -> tuple[str, ...]:
    """The words in lower case and in order, without possessive endings; `<` or `_` separate words.

    Words in one spelling are the same; in scripts without spaces, pairs of characters are words.
    """
    found = _WORD.findall(segmented(normalised(text)))
    return tuple(w.lower().replace("\u2019", "'").removesuffix("'s") for w in found)


def written_words(text: str) -> tuple[str, ...]:
    """The `words` in the case that they are written in."""
    found = _WORD.findall(segmented(normalised(text)))
    return tuple(w.replace("\u2019", "'").removesuffix("'s").removesuffix("'S") for w in found)


@lru_cache(maxsize=50_000)
def singular(word: str) -> str:
    """The word in the singular, if it is an English plural; meant for comparisons.

    Where the ending allows two (`cookies`, `parties`), the one that is a common word. Plurals that are also
    forms of verbs, such as `leaves`, only lose their `s`, as the verbs do.
    """
    if word in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[word]
    if word in _WITHOUT_PLURAL or len(word) <= 3 or not word.endswith("s"):
        return word
    if len(word) > 4 and word.endswith("ies"):
        return _common(word[:-3] + "y", word[:-1])
    if word.endswith("zzes") and word[:-3] in common_words():
        return word[:-3]
    if len(word) > 4 and word.endswith(("ches", "shes", "sses", "xes", "zes")):
        return _common(word[:-2], word[:-1])
    if word.endswith("oes") or (len(word) > 4 and word.endswith("ses")):
        return _common(word[:-1], word[:-2])
    return word if word.endswith(_PLURAL_EXCEPTIONS) else word[:-1]


def _common(likely: str, other: str) -> str:
    """The first if it is a common word or the other is not."""
    known = common_words()
    return other if other in known and likely not in known else likely


def key(name: str) -> str:
    """The normalised form for comparing names: singular, lower case, no articles (`The Box<T>s` -> `box t`).

    A name without letters or digits, such as `&`, is its own key.
    """
    parts = [singular(w) for w in words(name)]
    while len(parts) > 1 and parts[0] in ARTICLES:
        del parts[0]
    return " ".join(parts) or " ".join(name.split())


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """The spans of the sentences in `text`, in order, without surrounding white space.

    A full stop ends no sentence before a lower-case word or after an abbreviation.
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
    """The spans that can be quoted on their own, in order: sentences, list items, table rows, code blocks.

    List items are split into sentences. Headings, table headers and table rules are left out.
    """
    for start, end, kind in stretches(text):
        if kind == "prose":
            yield from ((start + a, start + b) for a, b in sentences(text[start:end]))
        elif kind in ("row", "code"):
            yield from _stripped(text, start, end)


def header(text: str, position: int) -> tuple[str, ...]:
    """The column names of the table whose row begins at `position`; () if there is none."""
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
    """Whether the line is the rule below a Markdown table's header row, such as `--- | ---`."""
    return "|" in line and _RULE.match(line) is not None


def stretches(text: str) -> Iterator[tuple[int, int, str]]:
    """The spans of the text by kind: prose, code, header, rule, row or heading."""
    lines: list[tuple[int, str]] = []
    offset = 0
    for line in text.splitlines(keepends=True):
        lines.append((offset, line))
        offset += len(line)
    lines.append((offset, ""))
    begin: int | None = None
    fenced: int | None = None
    table = False
    for (start, line), (_, next_line) in pairwise(lines):
        kind = _line_kind(line, next_line, table) if fenced is None else "prose"
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


def _line_kind(line: str, next_line: str, table: bool) -> str:
    """The kind of a line outside code; `table` says whether the previous line belongs to a table."""
    if _HEADING.match(line):
        return "heading"
    if is_table_rule(line.rstrip("\n")):
        return "rule"
    if "|" in line and is_table_rule(next_line.rstrip("\n")):
        return "header"
    return "row" if _ROW.match(line.rstrip("\n")) or (table and "|" in line) else "prose"


def _stripped(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The span without surrounding white space; nothing if it is blank."""
    piece = text[begin:end]
    if stripped := piece.strip():
        start = begin + piece.index(stripped)
        yield start, start + len(stripped)

"""Owns how text is cut into sentences, and the key under which two spellings of a name are one.

Rules for English only; which sentence states a fact is for `extraction`.
"""

import re
from collections.abc import Iterator

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_BREAK = re.compile(r"(?<=[.!?])[\"'\u201d)\]*_]*\s+|\n\s*\n")
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


def _stripped(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[begin:end]
    if kept := piece.strip():
        start = begin + piece.index(kept)
        yield start, start + len(kept)

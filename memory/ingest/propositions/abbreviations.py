"""Abbreviations that a sentence defines: `the Deep Harbour Survey (DHS)`, `TCP (Transmission Control ...)`.

The method is Schwartz and Hearst's, "A simple algorithm for identifying abbreviation definitions in
biomedical text" (PSB 2003): from the end, each letter of the short form is found in the words before the
bracket, and its first letter at the start of a word. Beyond it, a short form needs two capitals, or one and a
digit, so that other names in brackets are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_BRACKET = re.compile(r"\(([^()]{2,120})\)")
_WORD = re.compile(r"[^\s()\[\],;:]+")
_SHORT = re.compile(r"[^\W_][\w&./-]{0,8}\w")
_EDGE = " ,;:\"'\u201c\u201d\u2018\u2019"
_SEPARATORS = re.compile(r"[,;:\[\]()]")
_ARTICLES = ("the ", "a ", "an ")
MORE_WORDS = 5
"""A long form has at most so many words more than the short form has letters, and at most twice as many."""


class Abbreviation(NamedTuple):
    """A short form and what it stands for, as written, without an article."""

    short: str
    long: str


def abbreviations(sentence: str) -> Iterator[Abbreviation]:
    """The abbreviations that brackets in the sentence define, in order."""
    for bracket in _BRACKET.finditer(sentence):
        before = sentence[: bracket.start()].rstrip(_EDGE)
        inside = re.split(r"[,;]", bracket[1])[0].strip(_EDGE)
        if _is_short(inside):
            found = _long_form(inside, _last_words(before, _most_words(inside)))
            short = inside
        else:
            word = _WORD.findall(before)[-1:]
            short = word[0].strip(_EDGE) if word else ""
            whole = len(inside.split()) <= _most_words(short)
            found = inside if whole and _is_short(short) and _long_form(short, inside) == inside else None
        if found is not None:
            yield Abbreviation(short, _without_article(found))


def _is_short(text: str) -> bool:
    """Whether the text can be a short form: one word of 2 to 10 characters with capitals."""
    capitals = sum(letter.isupper() for letter in text)
    digit = any(letter.isdigit() for letter in text)
    return bool(_SHORT.fullmatch(text)) and capitals + digit >= 2 and capitals >= 1


def _most_words(short: str) -> int:
    return min(len(short) + MORE_WORDS, 2 * len(short))


def _last_words(text: str, count: int) -> str:
    """The last `count` words, of those after the last comma, colon or bracket."""
    tail = _SEPARATORS.split(text)[-1]
    starts = [match.start() for match in _WORD.finditer(tail)]
    return tail[starts[-count:][0] :] if starts else ""


def _long_form(short: str, words: str) -> str | None:
    """The shortest end of `words` whose letters the short form takes; None if there is none."""
    letters = [letter.lower() for letter in short if letter.isalnum()]
    at = len(words)
    for index in range(len(letters) - 1, -1, -1):
        at -= 1
        while at >= 0 and not _fits(words, at, letters[index], first=index == 0):
            at -= 1
        if at < 0:
            return None
    found = words[words.rfind(" ", 0, at) + 1 :]
    if len(found) <= len(short) or short.lower() in found.lower().split() or "(" in found:
        return None
    return found


def _fits(words: str, at: int, letter: str, *, first: bool) -> bool:
    """Whether the letter is there; the short form's first one must begin a word."""
    return words[at].lower() == letter and not (first and at > 0 and words[at - 1].isalnum())


def _without_article(text: str) -> str:
    lowered = text.lower()
    article = next((each for each in _ARTICLES if lowered.startswith(each)), "")
    return text[len(article) :]

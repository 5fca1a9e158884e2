"""An answer without its style: no courtesies, fillers, list marks or capitals; what it states is left.

Criteria that judge content read this, so that a polite or a terse answer is worth as much as a plain one.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from memory.language.content_words import content_words
from memory.language.text import sentences, singular
from memory.records.base import Digest, digest_of

WORDS = Path(__file__).with_name("scoring_words.toml")
LONGEST_ANSWER = 8000
"""Characters of an answer that are judged."""
CAPITALISED = 0.8
"""Share of capital letters from which on a text counts as written in capitals."""
FEWEST_LETTERS = 8
"""Texts with fewer letters, such as an abbreviation, may be capitals for a reason."""

_CODE = re.compile(r"^[ ]{0,3}(```|~~~).*?(?:^[ ]{0,3}\1[^\n]*$|\Z)", re.M | re.S)
_MARK = re.compile(r"^[ \t]*(?:#{1,6}|[-*+\u2022]|\d{1,3}[.)]|>)[ \t]+")
_EMPHASIS = re.compile(r"(\*\*|__)(?=\S)(.{1,400}?)(?<=\S)\1")


def statements(answer: str) -> tuple[str, ...]:
    """The sentences of the answer that state something, without their style; code is left out.

    If all of them are courtesies, they are returned nevertheless: nothing else is there to judge.
    """
    lines = [_plain_line(line) for line in without_code(answer[:LONGEST_ANSWER]).splitlines()]
    paragraphs = _joined(lines)
    found = [text[start:end] for text in paragraphs for start, end in sentences(text)]
    plain = [sentence for sentence in map(_without_fillers, _without_capitals(found)) if sentence]
    return tuple(sentence for sentence in plain if not is_courtesy(sentence)) or tuple(plain)


def without_code(text: str) -> str:
    """The text without its fenced code blocks."""
    return _CODE.sub("\n", text)


def is_courtesy(sentence: str) -> bool:
    """Whether the sentence has content words, and all are words of courtesy."""
    content = content_words(sentence)
    return bool(content) and all(word in _courtesy() for word in content)


def word_lists_digest() -> Digest:
    """Digest of the word lists, which is part of the scorer's version."""
    return digest_of(_word_lists())


def _plain_line(line: str) -> tuple[str, bool]:
    """A line without its marks, and whether it stands alone, as a list item or heading does."""
    bare = _MARK.sub("", line)
    return _EMPHASIS.sub(r"\2", bare).strip(), bare != line


def _joined(lines: list[tuple[str, bool]]) -> list[str]:
    """Lines joined to paragraphs; list items, headings and blank lines begin a new one."""
    paragraphs: list[str] = []
    begin = True
    for text, alone in lines:
        if not text:
            begin = True
        elif begin or alone:
            paragraphs.append(text)
            begin = False
        else:
            paragraphs[-1] += f" {text}"
    return paragraphs


def _without_capitals(found: list[str]) -> list[str]:
    """Sentences in small letters if nearly all letters of the answer are capitals."""
    letters = [letter for sentence in found for letter in sentence if letter.isalpha()]
    if len(letters) < FEWEST_LETTERS or sum(map(str.isupper, letters)) < CAPITALISED * len(letters):
        return found
    return [_capitalised(sentence.lower()) for sentence in found]


def _without_fillers(sentence: str) -> str:
    opening, fillers = _patterns()
    text = fillers.sub("", sentence)
    while (shorter := opening.sub("", text, count=1)) != text:
        text = shorter
    text = text.strip(" ,;:-\u2013\u2014")
    return text if text == sentence else _capitalised(text)


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


@cache
def _word_lists() -> Mapping[str, Any]:
    return tomllib.loads(WORDS.read_text(encoding="utf-8"))


@cache
def _courtesy() -> frozenset[str]:
    return frozenset(map(singular, _word_lists()["courtesy"].split()))


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Patterns of openings, and of fillers."""
    openings = "|".join(re.escape(text) for text in _longest_first("openings"))
    fillers = "|".join(re.escape(text) for text in _longest_first("fillers"))
    return (
        re.compile(rf"^\W{{0,3}}(?:{openings})\s*[,:!.\u2013\u2014-]+\s*", re.I),
        re.compile(rf"\b(?:{fillers})\b[,:]?\s*", re.I),
    )


def _longest_first(name: str) -> list[str]:
    return sorted(_word_lists()[name], key=len, reverse=True)

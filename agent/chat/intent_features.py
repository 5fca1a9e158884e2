"""Surface features of a message for the intent classifier: word lists, punctuation, length; in [0, 1]."""

import math
import re
import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray

from memory.language.lexicon import (
    ADDRESSING,
    ASKING,
    AUXILIARIES,
    COURTESY,
    INTERROGATIVES,
    MAKING,
    OPINIONS,
    PRODUCTS,
    SPEAKING,
    UNSPACED,
    Lexicon,
    languages_by_words,
    words_of,
)

SHORTEST_STEM = 5
"""Shortest word whose other forms are recognised by their common prefix."""
LONGEST_END = 2000
"""Characters read from either end of a long message."""
FOREIGN_EMBEDDING_WEIGHT = 0.6
"""Weight of the embedding for texts that are not English; by cross-validation, among 0, .3, .6 and 1."""

_SENTENCE = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s*|\n+")
_SUM = re.compile(
    r"\d\s{0,3}(?:[-+*/^\u00d7\u00f7x]"
    r"|plus|minus|times|divided by|mod|mal|fois|por|per|keer|razy)\s{0,3}\d"
    r"|\d\s{0,3}(?:%|percent|prozent|por ciento|pour cent|per cento|procent)"
    r"|\b(?:square|cube) root\b|\bsum of\b|\bdivisible\b"
    r"|\b(?:half|double|third|quarter) of \d|\bx\s{0,3}[-+=^]",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_AMOUNT = re.compile(r"\bhow (?:much|many|long)\b", re.IGNORECASE)
_HEADING = re.compile(r"^\s*#{1,6}\s", re.MULTILINE)
_TAG = re.compile(r"</?[A-Za-z][\w-]*>")
_CODE = re.compile(r"```|[{};]\s*$|\w\(\w*\)|==|->|=>|</|\bdef \w|\bSELECT\b|\w\.\w+\(", re.MULTILINE)
_QUOTED = re.compile('["\u201c\u201e\u00ab\u300c][^"\u201d\u00bb\u300d]{8,}')
_JSON = re.compile(r"\bjson\b|\{\s*\"", re.IGNORECASE)
_EARLIER = re.compile(
    r"\b(?:above|previous|earlier|so far|you (?:just )?(?:said|told|wrote|mentioned)"
    r"|your (?:last|answer|reply|code)"
    r"|conversation|chat|the following|this (?:text|paragraph|sentence|email|code|function)|below)\b",
    re.IGNORECASE,
)


def surface_features(text: str) -> NDArray[np.float64]:
    """The surface features of one message: float64 [COUNT].

    Every feature appears twice, the second time only for languages other than English. Of a long message
    only the beginning and the end count.
    """
    text = _ends(text)
    words = words_of(text)
    languages = languages_by_words(text) or ("en",)
    sentences = [part for part in _SENTENCE.split(text) if words_of(part)] or [text]
    opening, ending = words_of(sentences[0])[:5], words_of(sentences[-1])[:5]
    foreign = "en" not in languages
    lines = text.strip().count("\n")
    capitals = sum(word[0].isupper() for word in text.split()[1:])

    def begins(start: list[str], lexicon: Lexicon, within: int) -> bool:
        if languages[0] in UNSPACED:
            return any(word in text for word in lexicon[languages[0]])
        known = frozenset[str]().union(*(lexicon[language] for language in languages))
        return any(word in known for word in start[:within]) or (
            foreign
            and within == 1
            and lexicon is MAKING
            and any(_is_form_of(word, known) for word in start[:1])
        )

    values = [
        text.rstrip("\"'\u201d\u00bb )*").endswith(("?", "\uff1f")),
        "?" in text or "\uff1f" in text,
        begins(opening, INTERROGATIVES, 1),
        begins(ending, INTERROGATIVES, 1),
        begins(words, INTERROGATIVES, len(words)),
        begins(opening, AUXILIARIES, 1),
        begins(opening, ASKING, 3),
        begins(words, ASKING, len(words)),
        begins(words[:6], ASKING, 6) and begins(words[1:9], INTERROGATIVES, 8),
        begins(words[:8], PRODUCTS, 8),
        begins(words, PRODUCTS, len(words)),
        begins(words[:8], OPINIONS, 8),
        begins(words[:3], OPINIONS, 3),
        begins(opening, MAKING, 1),
        begins(opening, MAKING, 5),
        begins(ending, MAKING, 4),
        begins(opening, COURTESY, 1),
        begins(words, COURTESY, 5) and len(words) < 6,
        begins(words, ADDRESSING, len(words)),
        begins(opening, ADDRESSING, 3),
        begins(words, SPEAKING, len(words)),
        min(1.0, math.log1p(len(words)) / 5),
        len(words) <= 3,
        len(words) <= 1,
        min(1.0, lines / 10),
        lines > 0,
        bool(_CODE.search(text)),
        bool(_QUOTED.search(text)),
        bool(_SUM.search(text)) or (bool(_AMOUNT.search(text)) and len(_NUMBER.findall(text)) > 1),
        bool(_HEADING.search(text)),
        bool(_TAG.search(text) or _JSON.search(text)),
        ":" in text,
        text.rstrip().endswith(("!", "\uff01")),
        bool(_EARLIER.search(text)),
        min(1.0, capitals / 3),
        foreign,
    ]
    vector = np.array(values, dtype=np.float64)
    return np.concatenate([vector, vector * foreign])


def embedding_weight(text: str) -> float:
    """Weight of the embedding in [0, 1]: lower for texts that are not English, its best language."""
    return 1.0 if "en" in (languages_by_words(_ends(text)) or ("en",)) else FOREIGN_EMBEDDING_WEIGHT


def _ends(text: str) -> str:
    return text if len(text) <= 2 * LONGEST_END else f"{text[:LONGEST_END]}\n{text[-LONGEST_END:]}"


def _is_form_of(word: str, known: frozenset[str]) -> bool:
    """Whether the word extends a long word of the lexicon, ignoring accents: "scrivimi" from "scrivi"."""
    bare = _bare(word)
    return any(len(stem) >= SHORTEST_STEM and bare.startswith(_bare(stem)) for stem in known)


@cache
def _bare(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))

"""What the intent classifier sees of a text besides its meaning: numbers in [0, 1]."""

import math
import re

import numpy as np
from numpy.typing import NDArray

from agent.chat.lexicon import (
    ADDRESSING,
    ASKING,
    AUXILIARIES,
    COURTESY,
    INTERROGATIVES,
    MAKING,
    SPEAKING,
    UNSPACED,
    Lexicon,
    language_by_words,
    words_of,
)

_SENTENCE = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s*|\n+")
_SUM = re.compile(
    r"\d\s*(?:[-+*/^\u00d7\u00f7x]|plus|minus|times|divided by|percent of|% of|mod)\s*\d", re.IGNORECASE
)
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


def features(text: str) -> NDArray[np.float64]:
    """The surface features of one message; float64 [COUNT]."""
    words = words_of(text)
    language = language_by_words(text) or "en"
    sentences = [part for part in _SENTENCE.split(text) if words_of(part)] or [text]
    opening, ending = words_of(sentences[0])[:5], words_of(sentences[-1])[:5]
    lines = text.strip().count("\n")
    capitals = sum(word[0].isupper() for word in text.split()[1:])

    def begins(start: list[str], lexicon: Lexicon, within: int) -> bool:
        if language in UNSPACED:
            return any(word in text for word in lexicon[language])
        return any(word in lexicon[language] for word in start[:within])

    values = [
        text.rstrip("\"'\u201d\u00bb )*").endswith(("?", "\uff1f")),
        "?" in text or "\uff1f" in text,
        begins(opening, INTERROGATIVES, 1),
        begins(ending, INTERROGATIVES, 1),
        begins(words, INTERROGATIVES, len(words)),
        begins(opening, AUXILIARIES, 1),
        begins(opening, ASKING, 3),
        begins(words, ASKING, len(words)),
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
        bool(_SUM.search(text)),
        bool(_HEADING.search(text)),
        bool(_TAG.search(text) or _JSON.search(text)),
        ":" in text,
        text.rstrip().endswith(("!", "\uff01")),
        bool(_EARLIER.search(text)),
        min(1.0, capitals / 3),
        language != "en",
    ]
    return np.array(values, dtype=np.float64)


COUNT = len(features(""))

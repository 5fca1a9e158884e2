"""Boilerplate of web pages: sentences about cookies, log-ins, newsletters and rights."""

import re

from memory.language.text import sentences

_BOILERPLATE = re.compile(
    r"\b(?:cookies?|all rights reserved|subscribe|newsletter|sign (?:in|up)|log ?in|javascript|privacy policy"
    r"|terms of (?:service|use)|click here|advertis\w+|share this|skip to (?:main )?content|copyright)\b|©",
    re.IGNORECASE,
)


def boilerplate_share(text: str) -> float:
    """The share of the text's sentences that are boilerplate; 0 without sentences."""
    spans = [text[start:end] for start, end in sentences(text)]
    return sum(map(is_boilerplate, spans)) / len(spans) if spans else 0.0


def is_boilerplate(sentence: str) -> bool:
    """Whether the sentence is boilerplate."""
    return _BOILERPLATE.search(sentence) is not None

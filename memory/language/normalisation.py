"""One spelling for what looks the same: composed accents, no ligatures, soft hyphens and zero-width marks.

Searches and names use it; passages and citations keep the original characters.
"""

import re
import unicodedata
from collections.abc import Iterator

INVISIBLE = (
    "\xad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
    "\ufe00-\ufe0f"
)
"""Soft hyphens, zero-width and direction marks, as a regular expression's set."""
_INVISIBLE = re.compile(f"[{INVISIBLE}]+")
_PRESENTATION = re.compile(r"[\u0132\u0133\ufb00-\ufdff\ufe70-\ufefc\uff01-\uffee]+")
"""Ligatures, and Arabic and full-width forms. Superscripts are no forms of a letter: 10\xb2 is not 102."""
_MARKS = "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u064b-\u065f\u3099\u309a"
_CLUSTER = re.compile(f"[{INVISIBLE}]|[^{INVISIBLE}][{_MARKS}]*", re.DOTALL)
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff]{2,}"
)
"""Runs of scripts without spaces: Thai, Lao, Burmese, Khmer, Japanese, Chinese."""


def normalised(text: str) -> str:
    """The text in one spelling; nothing but white space and invisible characters is lost."""
    if text.isascii():
        return text
    text = _PRESENTATION.sub(lambda match: unicodedata.normalize("NFKC", match[0]), _INVISIBLE.sub("", text))
    return unicodedata.normalize("NFC", text)


def normalised_runs(text: str) -> Iterator[tuple[str, int]]:
    """The pieces of `normalised(text)`, and where in `text` each begins.

    Within a piece, positions in both advance alike.
    """
    if text.isascii() or normalised(text) == text:
        yield text, 0
        return
    begin = end = 0
    for cluster in _CLUSTER.finditer(text):
        plain = normalised(cluster[0])
        if plain == cluster[0]:
            end = cluster.end()
            continue
        if begin < end:
            yield text[begin:end], begin
        yield from ((character, cluster.start()) for character in plain)
        begin = end = cluster.end()
    if begin < end:
        yield text[begin:end], begin


def segmented(text: str) -> str:
    """The text with scripts without spaces cut into overlapping pairs of characters, which searches match."""
    if text.isascii():
        return text
    return _UNSPACED.sub(
        lambda run: f" {' '.join(a + b for a, b in zip(run[0], run[0][1:], strict=False))} ", text
    )

"""Takes personal data out of texts: what has a recognisable form, such as an email address, and no more.

Presidio's pattern recognisers with their checksums do it. Names, postal addresses and organisations are not
found: in presidio-research's synthetic texts these are 74% of all personal data, patterns only 13%.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from presidio_analyzer import EntityRecognizer, RecognizerResult

LEAST_SCORE = 0.4
"""Score of Presidio's phone numbers. What scores less is a guess, such as nine digits as a social security
number."""
WINDOW = 1000
"""Characters analysed at once: some patterns take time that is quadratic in the length of the text."""
OVERLAP = 200
"""Characters that two windows share, so that what lies on their border is whole in one of them."""
SUSPICIOUS: Mapping[str, re.Pattern[str]] = {
    "EmailRecognizer": re.compile("@"),
    "PhoneRecognizer": re.compile(r"(?:\d\D*+){4}"),
    "CreditCardRecognizer": re.compile(r"(?:\d\D*+){12}"),
    "IbanRecognizer": re.compile(r"[A-Z]{2}[0-9]{2}"),
    "IpRecognizer": re.compile(r"::|(?:[0-9a-fA-F]{1,4}:){7}|(?:\d+\.){3}\d"),
    "UsSsnRecognizer": re.compile(r"(?:\d\D*+){9}"),
    "CryptoRecognizer": re.compile(r"[a-zA-Z0-9]{26}"),
}
"""What a text has to contain for the recogniser to find anything; cheap to look for."""
WARM = "warm@example.com 415-555-0132"


class Scrubber:
    """Replaces personal data by the kind of it, such as `<EMAIL_ADDRESS>`.

    Presidio is imported with the first text that needs it, which takes a second; `warm` does it early.
    """

    def __init__(self) -> None:
        self._lock = Lock()

    def warm(self) -> None:
        """Imports Presidio. Call it in a thread."""
        self.scrub(WARM)

    def suspects(self, text: str) -> bool:
        """Whether the text has to be analysed: if not, `scrub` returns it unchanged at once."""
        return any(pattern.search(text) for pattern in SUSPICIOUS.values())

    def scrub(self, text: str) -> str:
        """The text with personal data replaced; where kinds overlap, the most certain one names all."""
        if not self.suspects(text):
            return text
        parts: list[str] = []
        position = 0
        for start, end, kind in _merged(self._found(text)):
            parts += [text[position:start], f"<{kind}>"]
            position = end
        return "".join([*parts, text[position:]])

    def _found(self, text: str) -> "list[tuple[int, int, float, str]]":
        found: list[tuple[int, int, float, str]] = []
        for offset in range(0, max(1, len(text) - OVERLAP), WINDOW - OVERLAP):
            window = text[offset : offset + WINDOW]
            for name, pattern in SUSPICIOUS.items():
                if pattern.search(window):
                    found += (
                        (offset + result.start, offset + result.end, result.score, result.entity_type)
                        for result in self._analyse(name, window)
                        if result.score >= LEAST_SCORE
                    )
        return found

    def _analyse(self, name: str, text: str) -> "Sequence[RecognizerResult]":
        with self._lock:  # several threads may import it at once
            recognizer = self._recognizers[name]
        return recognizer.analyze(text, recognizer.supported_entities, nlp_artifacts=None)

    @cached_property
    def _recognizers(self) -> "Mapping[str, EntityRecognizer]":
        return _load()


def _merged(found: "list[tuple[int, int, float, str]]") -> list[tuple[int, int, str]]:
    """Spans that do not overlap: those that do become one, of the kind with the highest score."""
    merged: list[tuple[int, int, float, str]] = []
    for start, end, score, kind in sorted(found):
        if merged and start < merged[-1][1]:
            before = merged[-1]
            best = max(before[2:], (score, kind), key=lambda scored: scored[0])
            merged[-1] = (before[0], max(before[1], end), *best)
        else:
            merged.append((start, end, score, kind))
    return [(start, end, kind) for start, end, _, kind in merged]


def _load() -> "Mapping[str, Any]":
    """The recognisers by name. Their imports take a second, for Presidio imports spaCy."""
    import tldextract
    from presidio_analyzer import predefined_recognizers as predefined

    suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)  # the list that it ships

    class OfflineEmailRecognizer(predefined.EmailRecognizer):
        """Presidio's, without tldextract's default of fetching the list of suffixes."""

        def validate_result(self, pattern_text: str) -> bool:
            return suffixes(pattern_text).fqdn != ""

    recognizers = {name: getattr(predefined, name) for name in SUSPICIOUS}
    return {
        name: recognizer()
        for name, recognizer in (recognizers | {"EmailRecognizer": OfflineEmailRecognizer}).items()
    }

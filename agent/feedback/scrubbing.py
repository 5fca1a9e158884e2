"""Takes personal data out of texts: what has a recognisable form, such as an email address, and no more.

Presidio's pattern recognisers with their checksums do it. Names, postal addresses and organisations are not
found: they are 74% of the personal data in presidio-research's synthetic texts, what has a form only 13%.

Precision and recall, measured once on 750 texts of presidio-research's synth_dataset_v2 (IoU >= .5; nothing
was fitted to them): email 1/1 (25 of them), IP address 1/1 (8), US social security number 1/1 (6), IBAN 1/.90
(10), credit card 1/.84 (55), phone number .94/.60 (53); they have no crypto wallets. Domains (.43/1, measured
on 1,500 of the texts) and dates (1/.40) are left alone: a question without its dates is worth little.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from threading import Lock
from typing import Any

from agent.feedback.presidio import load_recognizers

MIN_SCORE = 0.4
"""Score of Presidio's phone numbers. What scores less is a guess, such as nine digits as a social security
number."""
WINDOW = 1000
"""Characters analysed at once: some patterns take time that is quadratic in the length of the text."""
OVERLAP = 200
"""Characters that two windows share, so that what lies on their border is whole in one of them."""
PHONE = re.compile(r"\d(?:[\Wx]{0,4}\d){6}")
"""Seven digits with only separators between them. Shorter phone numbers are left, because Germany has some of
four digits, so that Presidio takes 1689 for one."""
SUSPICIOUS: Mapping[str, re.Pattern[str]] = {
    "EmailRecognizer": re.compile("@"),
    "PhoneRecognizer": PHONE,
    "CreditCardRecognizer": re.compile(r"(?:\d\D*+){12}"),
    "IbanRecognizer": re.compile(r"[A-Z]{2}[0-9]{2}"),
    "IpRecognizer": re.compile(r"::|(?:[0-9a-fA-F]{1,4}:){7}|(?:\d+\.){3}\d"),
    "UsSsnRecognizer": re.compile(r"(?:\d\D*+){9}"),
    "CryptoRecognizer": re.compile(r"[a-zA-Z0-9]{26}"),
}
"""What a find has to contain; cheap to look for, so that few texts have to be analysed."""
WARM = "warm@example.com 415-555-0132"


class Scrubber:
    """Replaces personal data by the kind of it, such as `<EMAIL_ADDRESS>`.

    Presidio is loaded with the first text that needs it; `warm` does it early.
    """

    def __init__(self) -> None:
        self._lock = Lock()

    def warm(self) -> None:
        """Loads Presidio. Call it in a thread."""
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

    def _found(self, text: str) -> list[tuple[int, int, float, str]]:
        found: list[tuple[int, int, float, str]] = []
        for offset in range(0, max(1, len(text) - OVERLAP), WINDOW - OVERLAP):
            window = text[offset : offset + WINDOW]
            for name, pattern in SUSPICIOUS.items():
                if pattern.search(window):
                    found += (
                        (offset + result.start, offset + result.end, result.score, result.entity_type)
                        for result in self._analyse(name, window)
                        if result.score >= MIN_SCORE and pattern.search(window[result.start : result.end])
                    )
        return found

    def _analyse(self, name: str, text: str) -> Sequence[Any]:
        with self._lock:  # loading is not safe in two threads
            recognizer = self._recognizers[name]
        found: Sequence[Any] = recognizer.analyze(text, recognizer.supported_entities, nlp_artifacts=None)
        return found

    @cached_property
    def _recognizers(self) -> Mapping[str, Any]:
        return load_recognizers()


def _merged(found: list[tuple[int, int, float, str]]) -> list[tuple[int, int, str]]:
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

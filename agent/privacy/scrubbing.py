"""Scrubs texts: finds personal data in them and replaces it by policy.

What has a form is found by Presidio's pattern recognisers, by check digits, and by the words before a number.
Names of persons are found by a small language model, and only where the policy does not keep them.
What is found, and what is not, is measured in docs/results/privacy.md.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from secrets import token_bytes
from threading import Lock
from typing import Any

from agent.privacy import persons
from agent.privacy.cards import cards
from agent.privacy.finds import Find, merged
from agent.privacy.ibans import ibans
from agent.privacy.national_ids import national_ids
from agent.privacy.phones import labelled_phones
from agent.privacy.policies import PLACEHOLDER, Policy, Replacements, parse_policies
from agent.privacy.presidio import load_recognizers

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
    "IbanRecognizer": re.compile(r"[A-Z]{2}[0-9]{2}"),
    "IpRecognizer": re.compile(r"::|(?:[0-9a-fA-F]{1,4}:){7}|(?:\d+\.){3}\d"),
    "UsSsnRecognizer": re.compile(r"(?:\d\D*+){9}"),
    "CryptoRecognizer": re.compile(r"[a-zA-Z0-9]{26}"),
}
"""What a find of Presidio's has to contain; cheap to look for, so that few texts have to be analysed."""
DIGITS = re.compile(r"(?:\d[^\d\n]{0,4}){6}|[A-Za-z]{5}\d{4}[A-Za-z]")
"""What a find of ours has to contain."""
WARM = "warm@example.com 415-555-0132"


class Scrubber:
    """Replaces personal data by policy; masked, an email address becomes `<EMAIL_ADDRESS>`.

    Scrubbing a scrubbed text changes nothing. What it needs is loaded with the first text that needs it;
    `warm` does it early. It may be used by many threads.
    """

    def __init__(self, policies: Mapping[str, Policy] | None = None, key: bytes | None = None) -> None:
        """By default all types but PERSON are masked, and the key is a random one."""
        self._policies = parse_policies("") if policies is None else policies
        self._replacements = Replacements(self._policies, token_bytes() if key is None else key)
        self._persons = self._policies["PERSON"] != "keep"
        self._lock = Lock()

    def warm(self) -> None:
        """Loads what finding needs. Call it in a thread."""
        self.scrub(WARM)

    def suspects(self, text: str) -> bool:
        """Whether the text has to be analysed: if not, `scrub` returns it unchanged at once."""
        if DIGITS.search(text) or any(pattern.search(text) for pattern in SUSPICIOUS.values()):
            return True
        return self._persons and bool(text.strip())

    def scrub(self, text: str) -> str:
        """The text with personal data replaced; where types overlap, the most certain one names all."""
        parts: list[str] = []
        position = 0
        for find in self.find(text):
            parts += [
                text[position : find.start],
                self._replacements.of(find.type, text[find.start : find.end]),
            ]
            position = find.end
        return "".join([*parts, text[position:]])

    def find(self, text: str) -> Sequence[Find]:
        """The personal data in the text, in order; names only if the policy does not keep them."""
        if not self.suspects(text):
            return ()
        finds = [*self._by_presidio(text)]
        if DIGITS.search(text):
            finds += (*cards(text), *ibans(text), *national_ids(text), *labelled_phones(text))
        if self._persons:
            finds += persons.persons(text)
        done = [match.span() for match in PLACEHOLDER.finditer(text)]
        return merged(f for f in finds if not any(f.start < end and start < f.end for start, end in done))

    def _by_presidio(self, text: str) -> Iterator[Find]:
        for offset in range(0, max(1, len(text) - OVERLAP), WINDOW - OVERLAP):
            window = text[offset : offset + WINDOW]
            for name, pattern in SUSPICIOUS.items():
                if pattern.search(window):
                    for result in self._analyse(name, window):
                        if result.score >= MIN_SCORE and pattern.search(window[result.start : result.end]):
                            yield Find(
                                offset + result.start, offset + result.end, result.score, result.entity_type
                            )

    def _analyse(self, name: str, text: str) -> Sequence[Any]:
        with self._lock:  # loading is not safe in two threads
            recognizer = self._recognizers[name]
        found: Sequence[Any] = recognizer.analyze(text, recognizer.supported_entities, nlp_artifacts=None)
        return found

    @cached_property
    def _recognizers(self) -> Mapping[str, Any]:
        return load_recognizers()

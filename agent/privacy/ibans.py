"""IBANs that Presidio's recogniser misses: in other groups or lower case, or mistyped but labelled."""

import re
from collections.abc import Iterator

from stdnum import iban

from agent.privacy.finds import Find
from agent.privacy.labels import has_label

NUMBER = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ .-]?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")
_GROUPS = re.compile(r"[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
_LABEL = re.compile(r"\biban\b|bank account|account (?:number|no)", re.IGNORECASE)


def ibans(text: str) -> Iterator[Find]:
    """IBANs in the text."""
    for match in NUMBER.finditer(text):
        valid = _valid_part(match[0])
        if valid:
            yield Find(match.start(), match.start() + valid, 1.0, "IBAN_CODE")
        elif (groups := _GROUPS.match(text, match.start())) and has_label(text, groups.span(), _LABEL):
            yield Find(*groups.span(), 0.9, "IBAN_CODE")


def _valid_part(text: str) -> int:
    """The length of the longest start of the text that is an IBAN; words after one look like groups of it."""
    ends = [place.start() for place in re.finditer(r"[ .-]|$", text)]
    return next((end for end in reversed(ends) if iban.is_valid(text[:end].replace(".", ""))), 0)

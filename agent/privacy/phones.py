"""Phone numbers by their label: those without a country's format, which libphonenumber cannot find alone.

Numbers in a national or international format are found by Presidio's recogniser, on libphonenumber.
"""

import re
from collections.abc import Iterator

from agent.privacy.finds import Find
from agent.privacy.labels import AFTER, nearest_label

NUMBER = re.compile(
    r"(?<![\w@#/.:,-])(?:\+|\(\+?)?\d(?:(?:\(0\)|[ \t().\-/]){0,3}\d){6,14}(?![\w@-]|[.:/,]\d)"
)
_DATE = re.compile(r"\d{4}([-/. ])\d\d?\1\d\d?|\d\d?([-/. ])\d\d?\2\d{4}")
_LABEL = re.compile(
    r"(?P<phone>phone|\btel\b|\btel[eé]f|\bmob[ií]l|\bcell|\bfax|handy|whatsapp|\bsms\b|\btext(?:s|ed|ing)?\b"
    r"|messag|voicemail|\bcall(?:s|ed|ing|er)?\b|\bdial|\bring\b|\breach|answering|\boffice\b|\bdesk\b"
    r"|\bcontact\b|\bportable\b|hotline|extension|\bnumber\b)"
    r"|(?P<other>card|\baccount|\bacct|\border|invoice|ticket|\bref|passport|licen[cs]e|\bssn\b|social|\bzip\b"
    r"|post(?:al )?code|\bbox\b|routing|\biban\b|serial|\bisbn|\bissn|policy|transaction|amount|popul"
    r"|\bid\b|room|flight|tracking|version|error|\bpin\b|\bcode\b|\bbytes?\b|\byears?\b|\bmodel\b|\bpart\b"
    r"|\bcase\b|\bbook|\bsum\b|\bdollars?\b|\bline\b|street|avenue|\bapt\b|suite|\bdate\b|\bborn\b|tax\b)",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"[ \t]*[(:-]?[ \t]*(?:office|fax|mobile|cell|home|work|tel|phone|desk|direct)\b", re.IGNORECASE
)


def labelled_phones(text: str) -> Iterator[Find]:
    """Numbers of 7 to 15 digits whose nearest label is one of a phone number."""
    for match in NUMBER.finditer(text):
        start, end = match.span()
        if not 7 <= sum(map(str.isdigit, match[0])) <= 15 or _DATE.match(match[0]):
            continue
        label = nearest_label(text, start, _LABEL)
        before = label is not None and label["phone"] is not None
        if before or _AFTER.match(text, end, end + AFTER):
            yield Find(start, end, 0.45, "PHONE_NUMBER")

"""Extracts defaults and other labelled values, such as `Default: 5` or `It defaults to 5`."""

import re
from collections.abc import Iterator
from itertools import islice

from memory.ingest.propositions.structure.blocks import Block
from memory.ingest.propositions.structure.markdown import plain, trimmed
from memory.ingest.propositions.structure.names import AMBIGUOUS, LITERAL
from memory.ingest.propositions.structure.statements import LONGEST_CELL, Statement
from memory.language.text import key, sentences

LABELS = {
    "default": "default", "default value": "default", "valid value": "allowed values", "range": "range",
    "allowed value": "allowed values", "allowed value are": "allowed values", "type": "type",
    "possible value": "allowed values", "accepted value": "allowed values",
    "data type": "type", "minimum": "minimum", "maximum": "maximum", "min": "minimum", "max": "maximum",
    "minimum value": "minimum", "maximum value": "maximum", "unit": "unit",
}  # fmt: skip
"""The relation that a label before a colon stands for."""
_LABEL = re.compile(r"(?:\*\*|__)?([A-Z][A-Za-z ]{2,24}?)(?:(?:\*\*|__):|:(?:\*\*|__)?)\s+(?=\S)")
_DEFAULT = re.compile(
    r"(?P<aside>[(\[,;]\s*[Dd]efaults?(?: value)?(?P<link>\s+is|\s+to|\s*:|\s*=)?\s+)"
    r"|\b(?:[Dd]efaults|[Dd]efaulting)\s+to\s+|^(?:The )?[Dd]efault(?: value)?(?:\s+is|:)\s+"
)
_VALUE = re.compile(
    r"`(?P<code>[^`\n]{1,80})`|(?P<words>(?:[^.;,()\[\]`\n]|[.,](?=\d)){1,60})(?=[.;,()\[\]\n]|$)"
)
_SURE = re.compile(r"[-+]?\d|[\"']|(?:true|false|none|null|unset|empty|on|off|yes|no)\b", re.IGNORECASE)


def _value(text: str, at: int, end: int, sure: bool) -> tuple[str, tuple[int, int]] | None:
    found = _VALUE.match(text, at, end)
    if not found:
        return None
    if found["code"]:
        return found["code"].strip(), found.span("code")
    value, span = plain(text, *found.span("words"))
    if not value or len(value.split()) > 6 or (sure and not _SURE.match(value)):
        return None
    return None if re.match(r"(?:this|that|it|its|these|what|be|if|when|to)\b", value) else (value, span)


def read_defaults(text: str, block: Block, subject: str, about: str) -> Iterator[Statement]:
    """Defaults and limits of `subject` (the item's term), else of the only code span before, or `about`."""
    if (label := _LABEL.match(text, block.body, block.end)) and key(label[1]) in LABELS:
        value, answer = trimmed(*plain(text, label.end(), block.end))
        owner = subject or about
        if owner and value and len(value.split()) <= LONGEST_CELL and not value.endswith(":"):
            yield Statement(owner, LABELS[key(label[1])], value, block.start, block.end, answer, "default")
        return
    yield from defaults_in_sentences(text, block.body, block.end, subject, about)


def defaults_in_sentences(text: str, begin: int, stop: int, subject: str, about: str) -> Iterator[Statement]:
    """Defaults stated in the sentences of a span: `It defaults to 5`."""
    before = ""
    for first, last in sentences(text[begin:stop]):
        start, end = begin + first, begin + last
        sentence = text[start:end]
        for found in islice(_DEFAULT.finditer(sentence), 3):
            default = _value(text, start + found.end(), end, sure=bool(found["aside"]) and not found["link"])
            owner = subject or _owner(sentence[: found.start()], before, about)
            if default and owner:
                yield Statement(owner, "default", default[0], start, end, default[1], "default")
                break
        before = sentence


def _owner(lead: str, before: str, about: str) -> str:
    spans = re.findall(r"`[^`\n]{1,80}`", lead)
    if len(spans) == 1:
        return spans[0] if not AMBIGUOUS.fullmatch(spans[0]) and not LITERAL.fullmatch(spans[0]) else ""
    if spans:
        return ""
    if re.fullmatch(r"\s*(?:It|This)\s*", lead):
        spans = re.findall(r"`[^`\n]{1,80}`", before)
        return spans[0] if len(spans) == 1 and not AMBIGUOUS.fullmatch(spans[0]) else ""
    return about if "`" in about and not lead.strip(" *") else ""

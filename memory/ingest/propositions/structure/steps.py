"""Extracts numbered steps and their purpose."""

import re
from collections.abc import Iterator
from itertools import takewhile

from memory.ingest.propositions.structure.blocks import Block
from memory.ingest.propositions.structure.markdown import plain, trimmed
from memory.ingest.propositions.structure.names import cleaned
from memory.ingest.propositions.structure.statements import LONGEST_TEXT, Statement
from memory.language.imperatives import VERBS, base_form
from memory.language.text import sentences

LONGEST_STEP = 20
MAX_STEPS = 8
FULL_PASSAGE = 120
"""In words; a passage this long may have been cut off in the middle of a list."""

_TO = re.compile(r"(?:In order )?[Tt]o ([a-z][^\n,:]{2,80})(?:, [^\n:]{0,60})?:$")
_FOLLOW = re.compile(
    r"(?:[A-Z][^\n:]{0,60} )?(?:steps|procedure|instructions) (?:below )?to ([a-z][^\n:]{2,80}):$"
)
_AS_SAID = re.compile(r"[^\n]{0,40}\b(?:following|these|steps)\b[^\n]{0,40}:$", re.IGNORECASE)
_NO_STEP = re.compile(
    r"(?:the|an?|your|it|its|this|that|these|there|they|some|each|all|no|he|she|we)\b", re.IGNORECASE
)


def _purpose(lead: str, heading: str) -> str:
    """The purpose of a list of steps as a verb phrase, from the line above or the heading; '' if unclear."""
    if lead.endswith(":"):
        if found := _TO.match(lead) or _FOLLOW.match(lead):
            unclear = re.search(r"^\w+ing\b|\b(?:it|this|that|them|so|these)\b", found[1])
            return "" if unclear else found[1].strip()
        if not _AS_SAID.match(lead) or not VERBS & set(lead.lower().split()):
            return ""
    first, _, rest = cleaned(heading).partition(" ")
    if first.lower() == "how" and rest.lower().startswith("to "):
        return rest[3:]
    if first.lower() == "to" and rest:
        return rest
    verb = first.lower() if first.lower() in VERBS else base_form(first)
    return f"{verb} {rest}" if verb and rest else ""


def read_steps(text: str, blocks: list[Block], lead: str, heading: str) -> Iterator[Statement]:
    """The steps at the beginning of `blocks`, together and one by one; `lead` is the line above them."""
    items = _steps_of_list(blocks)
    numbers = [int(re.match(r"\s*(\d+)", text[b.start : b.body])[1]) for b in items]  # type: ignore[index]
    purpose = _purpose(lead, heading)
    whole = numbers == list(range(1, len(items) + 1)) or set(numbers) == {1}  # Markdown may number all 1.
    if not whole or not 2 <= len(items) <= MAX_STEPS or not purpose:
        return
    texts = [plain(text, b.body, b.end)[0] for b in items]
    if any(_NO_STEP.match(t) for t in texts):
        return
    start, end = items[0].start, items[-1].end
    joined = "; ".join(t.rstrip(".") for t in texts)
    cut_off = not text[end:].strip() and len(text.split()) >= FULL_PASSAGE
    if len(joined.split()) <= LONGEST_TEXT and not cut_off and not any(t.endswith(":") for t in texts):
        yield Statement(purpose, "steps", joined, start, end, (items[0].body, end), "steps")
    for number, block in enumerate(items, 1):
        span = next(sentences(text[block.body : block.end]), None)
        if span is None:
            continue
        value, answer = trimmed(*plain(text, block.body + span[0], block.body + span[1]))
        if 2 <= len(value.split()) <= LONGEST_STEP and not value.endswith((":", "?")):
            yield Statement(purpose, f"step {number}", value, block.start, block.end, answer, "steps")


def _steps_of_list(blocks: list[Block]) -> list[Block]:
    """The steps of the list that begins here, without nested blocks."""
    level = blocks[0].indent
    run = takewhile(lambda b: b.kind == "step" or b.indent > level, blocks)
    return [b for b in run if b.kind == "step" and b.indent == level]

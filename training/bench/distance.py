"""Owns how far a held-out wording lies from the taught ones: with hundreds of these, some are always near.

It compares the sentences that questions are made of (`agent.cores`), whatever stands before and after them.
"""

import re
from collections import Counter
from functools import cache

from agent.cores import CORES
from memory.records import Form

FAR = 3
"""Words by which a far wording differs from every taught one: lost or added count one, exchanged ones two."""

_NAME = re.compile(r"\\\{(?:subject|object)\\\}")
_WORD = re.compile(r"[a-z']+|\{")


def is_far(question: str, form: Form) -> bool:
    """Whether the question is worded unlike every taught one; raises ValueError for one that is not held
    out."""
    found = [core for core in CORES[form]["held_out"] if _pattern(core).search(question)]
    if not found:
        raise ValueError(f"no held-out wording of {form!r}: {question!r}")
    return distance(max(found, key=len), form) >= FAR


@cache
def distance(core: str, form: Form) -> int:
    """Words that are in the core and not in the nearest taught one, or the other way round, in any order."""
    own = _words(core)
    return min(sum(((own - other) + (other - own)).values()) for other in map(_words, CORES[form]["taught"]))


def _words(core: str) -> Counter[str]:
    return Counter(_WORD.findall(core.lower()))


@cache
def _pattern(core: str) -> re.Pattern[str]:
    """The core with any name in it, and without the mark before which a closing may stand."""
    return re.compile(_NAME.sub(".+?", re.escape(core[:-1])), re.IGNORECASE)

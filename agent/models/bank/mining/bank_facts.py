"""Facts taken from reference data, and their conversion to questions of the bank."""

import re
import unicodedata

from wordfreq import zipf_frequency

from agent.models.bank.records import BankQuestion
from agent.models.bank.templates import TEMPLATES
from memory.records.base import Record

MINED_ID = "mined-"
_MIN_KNOWN, _BEST_KNOWN = 1.5, 5.5
"""Zipf frequencies, roughly those of Nauru's capital and of London."""


class BankFact(Record):
    """A fact: `name` fills the question template of `kind`, and `known_by` determines its popularity."""

    kind: str
    name: str
    answers: tuple[str, ...]
    known_by: tuple[str, ...]
    source: str


def to_question(fact: BankFact) -> BankQuestion:
    """The bank question for `fact`."""
    template = TEMPLATES[fact.kind]
    return BankQuestion(
        id=f"{MINED_ID}{fact.kind}-{slug(fact.name)}".replace("_", "-"),
        domain=template.domain,
        wordings=template.ask(fact.name),
        answers=fact.answers,
        popularity=popularity(fact.known_by),
        source=fact.source,
    )


def popularity(names: tuple[str, ...]) -> float:
    """Mean Zipf frequency of `names` in English text, from 0 (1.5 and below) to 1 (5.5 and above).

    Zipf frequency is log10 of the uses per billion words. A name that is also a common word ("Turkey", "tin")
    counts as better known than it is.
    """
    mean: float = sum(zipf_frequency(name, "en") for name in names) / len(names)
    return round(min(1.0, max(0.0, (mean - _MIN_KNOWN) / (_BEST_KNOWN - _MIN_KNOWN))), 3)


def tells_its_answer(question: BankQuestion) -> bool:
    """Whether a wording contains an accepted answer as a whole word."""
    return any(
        contains_phrase(wording, answer) for wording in question.wordings for answer in question.answers
    )


def contains_phrase(text: str, phrase: str) -> bool:
    """Whether `text` contains `phrase` as whole words, ignoring case."""
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.IGNORECASE) is not None


def without_final_mark(wording: str) -> str:
    """`wording` without case and final punctuation."""
    return wording.lower().rstrip("?.! ")


def slug(name: str) -> str:
    """`name` in lower-case ASCII letters and digits, joined by hyphens; `+` and `#` are spelled out."""
    name = name.replace("+", "-plus").replace("#", "-sharp")
    return re.sub(r"[^a-z0-9]+", "-", without_accents(name).lower()).strip("-")


def without_accents(text: str) -> str:
    """`text` with its letters stripped of accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))

"""Clarity: whether the answer is whole, readable, free of repetition, and as long as its question needs."""

import re
from collections.abc import Callable

from agent.grading import repeats_itself
from agent.nights.scoring.answer_context import AnswerContext, CriterionScore
from agent.nights.scoring.plain_text import without_code
from memory.language.text import words

REPETITIVE, UNREADABLE, UNFINISHED, CURT, UNENDED, RAMBLING, WINDED = 0.05, 0.1, 0.25, 0.6, 0.7, 0.7, 0.7
"""What an answer with each flaw is worth; chosen, not fitted."""
LONGEST_SHORT, LONGEST_LONG = 80, 400
"""Words of a good answer at most, to a question for a fact and to one for an explanation."""
FEWEST_EXPLAINING = 4
"""Words of an explanation at least."""
LONGEST_SENTENCE = 50
"""Words per sentence above which a text is hard to read; plain English advises 15 to 20."""
FEWEST_LETTERS = 0.5
"""Share of letters and spaces below which a text is not prose."""
UNCHECKED_END = 10
"""Words of an answer that needs no full stop: it may be a name, a number or a list item."""

_FACT = re.compile(
    r"^\W*(?:who|whom|whose|when|where|which|how (?:many|much|long|old|far|often|big|tall|fast|high))\b",
    re.IGNORECASE,
)
_EXPLANATION = re.compile(r"\b(?:why|explain|describe|compare|in detail|how (?:do|does|did|can|to))\b", re.I)
_ENDED = re.compile(r"[.!?:;\u2026\u3002\uff01\uff1f\"'\u201d\u2019)\]}`*|]\s*$")
_CUT_OFF = re.compile(
    r"(?:[,(\[{\u2013\u2014-]|\b(?:a|an|the|and|or|but|nor|of|from|with|by|into|than|as|if|because|although|while"
    r"|whose|which|who|that|your|my|our|their|its|is|are|was|were|has|have|had|will|would|could|should|may|might"
    r"|can|must|be)|\b(?:and|or|but|that|because|which)\s+(?:it|they|he|she|we|you|i))\s*$",
    re.IGNORECASE,
)
"""Ends of a text that no sentence has."""
_REPEATED_LINE = 3
"""An answer with the same line so many times repeats itself."""

Flaw = tuple[float, str]


def clarity(context: AnswerContext) -> CriterionScore | None:
    """The worst of the answer's flaws; 1 if it has none. Only what is said counts, not its style."""
    if not context.answer.strip():
        return CriterionScore(value=0.0, reason="the answer is empty")
    if context.abstains:
        return CriterionScore(value=1.0)
    flaws = [flaw for look in _LOOKS if (flaw := look(context)) is not None]
    value, reason = min(flaws, default=(1.0, ""))
    return CriterionScore(value=value, reason=reason)


def _repetition(context: AnswerContext) -> Flaw | None:
    lines = [line.strip().lower() for line in context.plain.split(". ") if len(line.split()) >= 3]
    repeated = any(lines.count(line) >= _REPEATED_LINE for line in set(lines))
    return (REPETITIVE, "it repeats itself") if repeated or repeats_itself(context.plain) else None


def _unfinished(context: AnswerContext) -> Flaw | None:
    """Cut off within a sentence. The end of what is stated counts, because a courtesy may follow it."""
    if context.answer.count("```") % 2:
        return UNFINISHED, "its code is unfinished"
    if not context.statements or _ENDED.search(last := context.statements[-1]):
        return None
    if len(words(context.plain)) > UNCHECKED_END and _CUT_OFF.search(last):
        return UNFINISHED, "its last sentence is unfinished"
    before = context.statements[-2] if len(context.statements) > 1 else ""
    if before.endswith((".", "!", "?")) and not _ends_in_list(context.answer):
        return UNENDED, "its last sentence may be unfinished"
    return None


def _ends_in_list(answer: str) -> bool:
    """Whether the last line is a list item, which needs no full stop."""
    lines = without_code(answer).rstrip().splitlines()
    return bool(lines) and re.match(r"\s*(?:[-*+\u2022]|\d{1,3}[.)])\s", lines[-1]) is not None


def _illegible(context: AnswerContext) -> Flaw | None:
    prose = without_code(context.answer)
    if not prose.strip() or len(words(context.plain)) <= UNCHECKED_END:
        return None
    share = sum(letter.isalpha() or letter.isspace() for letter in prose) / len(prose)
    return (UNREADABLE, "it is hardly readable") if share < FEWEST_LETTERS else None


def _sentence_length(context: AnswerContext) -> Flaw | None:
    if not context.statements:
        return None
    mean = len(words(context.plain)) / len(context.statements)
    return (WINDED, "its sentences are too long") if mean > LONGEST_SENTENCE else None


def _length(context: AnswerContext) -> Flaw | None:
    """Too long or too short for the question; conversation may be as long as it likes."""
    if context.turn.intent != "question":
        return None
    count = len(words(context.plain))
    if _EXPLANATION.search(context.question):
        if count < FEWEST_EXPLAINING and without_code(context.answer) == context.answer:
            return CURT, "it explains nothing"
        longest = LONGEST_LONG
    else:
        longest = LONGEST_SHORT if _FACT.match(context.question) else LONGEST_LONG
    if count <= longest:
        return None
    return max(0.2, RAMBLING * longest / count), "it is longer than the question needs"


_LOOKS: tuple[Callable[[AnswerContext], Flaw | None], ...] = (
    _repetition,
    _unfinished,
    _illegible,
    _sentence_length,
    _length,
)

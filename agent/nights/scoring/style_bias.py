"""Style bias: how far the score of the same content moves when only its style changes."""

import re
from collections.abc import Callable, Mapping, Sequence

from agent.nights.scoring.scorer import Scorer
from agent.nights.scoring.truth_set import TruthItem, score_items
from memory.language.text import sentences

ACCEPTED = 0.5
"""Largest mean shift, in points, of a scorer without style bias."""

_ARTICLE = re.compile(r"\b(?:the|an?) ", re.IGNORECASE)
_LEAD = re.compile(r"^(?:it|that|this) (?:is|was) (?!not\b)", re.IGNORECASE)


def style_bias(scorer: Scorer, items: Sequence[TruthItem]) -> dict[str, float]:
    """The mean shift of the score, in points, in each style. Blocks.

    Answers with code are left out: in capitals or as a list it is other code.
    """
    prose = [item for item in items if "```" not in item.turn.answer]
    plain = score_items(scorer, prose)
    shifts = {}
    for name, restyled in STYLES.items():
        styled = [_with_answer(item, restyled(item.turn.answer)) for item in prose]
        differences = [b - a for a, b in zip(plain, score_items(scorer, styled), strict=True)]
        shifts[name] = sum(differences) / len(differences) if differences else 0.0
    return shifts


def polite(answer: str) -> str:
    return f"Thank you for your question! I am happy to help. {answer}\n\nI hope this answers your question."


def bullets(answer: str) -> str:
    return "\n".join(f"- {answer[start:end]}" for start, end in sentences(answer))


def longer(answer: str) -> str:
    parts = [answer[start:end] for start, end in sentences(answer)]
    fillers = ("It is worth noting that", "As far as I know,", "In other words,")
    filled = [f"{fillers[i % len(fillers)]} {_uncapitalised(part)}" for i, part in enumerate(parts)]
    return " ".join(filled)


def terse(answer: str) -> str:
    return _LEAD.sub("", _ARTICLE.sub("", answer)).rstrip(".")


def capitalised(answer: str) -> str:
    return answer.upper()


def _uncapitalised(text: str) -> str:
    """The text with a small first letter, unless it begins with a name or an abbreviation."""
    first = text.split(" ", 1)[0]
    common = first.lower() in _COMMON_FIRST_WORDS
    return text[:1].lower() + text[1:] if common else text


_COMMON_FIRST_WORDS = frozenset(
    ("a", "an", "the", "it", "they", "we", "you", "this", "that", "in", "on", "because")
)

STYLES: Mapping[str, Callable[[str], str]] = {
    "polite": polite,
    "bullets": bullets,
    "longer": longer,
    "terse": terse,
    "capitalised": capitalised,
}


def _with_answer(item: TruthItem, answer: str) -> TruthItem:
    return item.model_copy(update={"turn": item.turn.model_copy(update={"answer": answer})})

"""The critique of an answer in words: what is wrong with it or missing from it, found by rules."""

from collections.abc import Sequence

from agent.chat.sentence_candidates import SentenceCandidate, form_match
from agent.chat.support import contradicts, supports
from agent.grading import admits_ignorance, repeats_itself
from agent.principles.constitution import LONG_ANSWER, Statement, broken_principles
from memory.language.text import sentences, words

LONGEST = 400
"""Characters of a critique, so that it leaves room for sources in a small context."""
LONGEST_QUOTE = 120
"""Characters of a sentence quoted in it."""
MAX_REASONS = 2
"""Reasons of the scorer that are taken over."""
_SAID_OTHERWISE = frozenset(
    {
        "only-the-sources",
        "answer-the-question",
        "exact-figures",
        "admit-ignorance",
        "no-repetition",
        "keep-it-short",
    }
)
"""Principles whose breach the critique words more exactly than by their sentence."""


def critique_of(
    question: str,
    answer: str,
    sources: Sequence[SentenceCandidate],
    *,
    reasons: Sequence[str] = (),
    abstained: bool = False,
    declines: Sequence[str] = (),
) -> str:
    """What is wrong with the answer, worst first. `reasons` are the scorer's."""
    if abstained or not answer.strip() or admits_ignorance(answer, declines):
        return "It gives no answer, but the text does."
    faults = [*_wrong_statements(question, answer, sources)]
    if form_match(question, answer) == 0:
        faults.append("It does not give what the question asks for.")
    if repeats_itself(answer):
        faults.append("It repeats itself.")
    if len(words(answer)) > LONG_ANSWER:
        faults.append("It is too long.")
    statement = Statement(answer, question, [candidate.reading for candidate in sources], declines)
    broken = [each for each in broken_principles(statement) if each.id not in _SAID_OTHERWISE]
    faults += [f"It breaks the principle {each.id}: {each.sentence}" for each in broken]
    faults += [f"{reason[:1].upper()}{reason[1:].rstrip('.')}." for reason in reasons[:MAX_REASONS] if reason]
    return _joined(dict.fromkeys(faults)) or "It can be shorter and closer to the text."


def failed_draft(critique: str, draft: str) -> str:
    """The critique after another attempt that the sources do not support."""
    return _joined([f'This is not in the text either: "{_short(draft)}".', critique] if draft else [critique])


def _wrong_statements(question: str, answer: str, sources: Sequence[SentenceCandidate]) -> list[str]:
    """Statements that a source contradicts, then those that none supports."""
    denied, unsupported = [], []
    for start, end in sentences(answer):
        claim = answer[start:end]
        against = next((c.reading for c in sources if contradicts(c.reading, claim)), None)
        if against is not None:
            denied.append(f'The text says "{_short(against)}", not "{_short(claim)}".')
        elif not any(supports(c.reading, claim, question=question, nearby=c.passage.title) for c in sources):
            unsupported.append(f'The text does not say "{_short(claim)}".')
    return denied + unsupported


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_QUOTE else f"{line[: LONGEST_QUOTE - 1]}\u2026"


def _joined(parts: Sequence[str] | dict[str, None]) -> str:
    """The first parts that fit together into LONGEST characters, at least the beginning of the first."""
    text = ""
    for part in parts:
        longer = f"{text} {part}".strip()
        if text and len(longer) > LONGEST:
            break
        text = longer[:LONGEST]
    return text

"""Checks that a question and its quote agree in negation, and that an answer of yes or no follows."""

import re
from collections.abc import Sequence
from itertools import pairwise

from agent.learning.consistency import Span
from agent.learning.text_analysis import AnalysedToken, Analysis, analyse, content_tokens, word_root

_DENIAL = r"\b(?:not|never|nobody|no one|nothing|none|nowhere|cannot|neither|nor)\b|n['\u2019]t\b"
_NEGATED = re.compile(
    rf"(?:{_DENIAL}|\bno (?!longer than|more than|less than|fewer than|later than)\b)", re.IGNORECASE
)
_NEGATIVE = re.compile(
    rf"{_DENIAL}|\b(?:no|without|lacks?|lacked|lacking|fail(?:s|ed)? to|refus\w*|reject\w*|forb\w+"
    r"|ban(?:ned|s)?|unable|except|unlike|unless|other than|rather than|instead|avoid\w*|default\w*"
    r"|den(?:y|ied|ies)|disagree\w*|prevent\w*|prohibit\w*"
    r"|hardly|exclu\w*)\b",
    re.IGNORECASE,
)
_COMPARED = frozenset({"unlike", "other than", "rather than", "instead"})
_DENIALS = frozenset(
    map(word_root, ("not", "no", "never", "nobody", "none", "nothing", "cannot", "neither", "nor"))
)
_NOT_A_DENIAL = re.compile(
    r"\b(?:not [^.;]{1,80}?\bbut\b|not only|not just|not least|whether or not|why not|no\. ?\d)",
    re.IGNORECASE,
)
_CLAUSES = re.compile(
    r"[,;:()\u2013\u2014]\s|\s(?=(?:but|and|whereas|while|although|though|because|so|or)\s)"
)


def negation_mismatch(question: str, quote: Analysis, spans: Sequence[Span]) -> str | None:
    """A reason if only one of the question and the quote's relevant clauses is negated."""
    cleaned = _without_pseudo_negation(question)
    for span in spans or [Span(0, 0)]:
        rest = _without_pseudo_negation(_relevant_clauses(question, quote, span))
        if _NEGATED.search(cleaned) and not _is_negative(_own_negations(rest, cleaned), cleaned):
            reason = "the question is negated and the quote is not"
        elif _NEGATED.search(rest) and not _is_negative(cleaned, rest):
            reason = "the quote is negated and the question is not"
        else:
            return None
    return reason


def _is_negative(text: str, other: str) -> bool:
    """Whether the text denies something, also by a negative prefix or suffix of a word in `other`."""
    if _NEGATIVE.search(text):
        return True
    roots = analyse(other).roots
    words = [t.norm for t in analyse(text).tokens]
    return any(
        (
            w.startswith(("un", "in", "im", "dis"))
            and len(w) > 5
            and word_root(w[2 + w.startswith("dis") :]) in roots
        )
        or (w.endswith("less") and word_root(w[:-4]) in roots)
        for w in words
    )


def _own_negations(text: str, question: str) -> str:
    """The text without comparisons and negative verbs that the question has too."""
    question_roots = analyse(question).roots - _DENIALS
    return _NEGATIVE.sub(
        lambda m: " " if m[0].lower() in _COMPARED or word_root(m[0].lower()) in question_roots else m[0],
        text,
    )


def _without_pseudo_negation(text: str) -> str:
    return _NOT_A_DENIAL.sub(" ", text)


def _relevant_clauses(question: str, quote: Analysis, span: Span) -> str:
    """The quote's clauses that contain the answer or most words of the question, without the answer."""
    tokens, text = quote.tokens, quote.text
    begin = tokens[span.first].start if span.last else 0
    end = tokens[span.last - 1].end if span.last else 0
    question_roots = {t.root for t in content_tokens(analyse(question))}
    pieces: list[tuple[int, int, str]] = []
    for start, stop in _clauses(text):
        has_answer = begin < stop and start < end
        piece = text[start:stop]
        if has_answer:
            piece = text[start : max(start, begin)] + " " + text[min(end, stop) : stop]
        pieces.append(
            (int(has_answer), len({t.root for t in content_tokens(analyse(piece))} & question_roots), piece)
        )
    most = max((share for _, share, _ in pieces), default=0)
    answered = any(has_answer and share for has_answer, share, _ in pieces)
    return " ".join(
        piece for has_answer, share, piece in pieces if has_answer or (share == most and not answered)
    )


def _clauses(text: str) -> list[tuple[int, int]]:
    cuts = [0, *(m.start() + 1 for m in _CLAUSES.finditer(text)), len(text)]
    return [(a, b) for a, b in pairwise(cuts) if text[a:b].strip()]


def yes_no_mismatch(
    question: str, answer: str, quote: Analysis, tokens: Sequence[AnalysedToken]
) -> str | None:
    """A reason if yes or no does not follow from the quote's words; binding is checked separately."""
    choice = answer.strip().strip(".!").lower()
    if choice not in ("yes", "no"):
        return "the answer is neither yes nor no"
    missing = [t for t in tokens if t.root not in quote.roots]
    same = bool(_NEGATED.search(_without_pseudo_negation(question))) == bool(
        _NEGATED.search(_without_pseudo_negation(quote.text))
    )
    if choice == "yes":
        return None if same and not missing else "the quote does not say yes"
    if not missing:
        return "the quote does not say no" if same else None
    return (
        None
        if same and _has_another_value(analyse(question), quote, missing)
        else "the quote does not say no"
    )


def _has_another_value(question: Analysis, quote: Analysis, missing: Sequence[AnalysedToken]) -> bool:
    """Whether the quote lacks exactly one value of the question, and has another of the same kind."""
    lacking = {t.root for t in missing}
    slots = [v for v in question.values if question.words(v) & lacking]
    if len(slots) != 1 or lacking - question.words(slots[0]):
        return False
    return any(v.kind == slots[0].kind and not quote.words(v) <= question.roots for v in quote.values)

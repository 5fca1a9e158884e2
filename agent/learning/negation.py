"""Negation: whether question, answer and quote deny the same, and whether yes or no follows from a quote."""

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
    """Whether question and quote differ by a negation, in the quote's clauses that matter."""
    asked = _plain(question)
    for span in spans or [Span(0, 0)]:
        rest = _plain(_relevant(question, quote, span))
        if _NEGATED.search(asked) and not _negative(_contrast(rest, asked), asked):
            reason = "the question is negated and the quote is not"
        elif _NEGATED.search(rest) and not _negative(asked, rest):
            reason = "the quote is negated and the question is not"
        else:
            return None
    return reason


def _negative(text: str, other: str) -> bool:
    """Whether the text denies something in any way, also by a prefix or ending of a word of the `other`."""
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


def _contrast(text: str, question: str) -> str:
    """The text without what is no denial of its own: comparisons, and verbs that the question has too."""
    said = analyse(question).roots
    return _NEGATIVE.sub(
        lambda m: " " if m[0].lower() in _COMPARED or word_root(m[0].lower()) in said - _DENIALS else m[0],
        text,
    )


def _plain(text: str) -> str:
    return _NOT_A_DENIAL.sub(" ", text)


def _relevant(question: str, quote: Analysis, span: Span) -> str:
    """The quote's clauses that hold the answer or most words of the question, without the answer."""
    tokens, text = quote.tokens, quote.text
    begin = tokens[span.first].start if span.last else 0
    end = tokens[span.last - 1].end if span.last else 0
    asked = {t.root for t in content_tokens(analyse(question))}
    kept: list[tuple[int, int, str]] = []
    for start, stop in _clauses(text):
        holds = begin < stop and start < end
        piece = text[start:stop]
        if holds:
            piece = text[start : max(start, begin)] + " " + text[min(end, stop) : stop]
        kept.append((int(holds), len({t.root for t in content_tokens(analyse(piece))} & asked), piece))
    most = max((share for _, share, _ in kept), default=0)
    told = any(holds and share for holds, share, _ in kept)
    return " ".join(piece for holds, share, piece in kept if holds or (share == most and not told))


def _clauses(text: str) -> list[tuple[int, int]]:
    cuts = [0, *(m.start() + 1 for m in _CLAUSES.finditer(text)), len(text)]
    return [(a, b) for a, b in pairwise(cuts) if text[a:b].strip()]


def yes_no_mismatch(
    question: str, answer: str, quote: Analysis, tokens: Sequence[AnalysedToken]
) -> str | None:
    """Whether yes or no follows from the quote, as far as the words tell; binding is checked apart."""
    said = answer.strip().strip(".!").lower()
    if said not in ("yes", "no"):
        return "the answer is neither yes nor no"
    missing = [t for t in tokens if t.root not in quote.roots]
    same = bool(_NEGATED.search(_plain(question))) == bool(_NEGATED.search(_plain(quote.text)))
    if said == "yes":
        return None if same and not missing else "the quote does not say yes"
    if not missing:
        return "the quote does not say no" if same else None
    return None if same and _another_value(analyse(question), quote, missing) else "the quote does not say no"


def _another_value(question: Analysis, quote: Analysis, missing: Sequence[AnalysedToken]) -> bool:
    """Whether all that the quote lacks is one value, and it has another of the same kind."""
    lacking = {t.root for t in missing}
    slots = [v for v in question.values if question.words(v) & lacking]
    if len(slots) != 1 or lacking - question.words(slots[0]):
        return False
    return any(v.kind == slots[0].kind and not quote.words(v) <= question.roots for v in quote.values)

"""Verification: drops question and answer pairs that do not follow from their passage, with a reason.

Pairs are checked the same way whatever teacher wrote them, and never repaired.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from agent.engines.base import EndingScorer
from agent.errors import EngineError, EngineUnavailable
from agent.grading import normalise
from agent.learning.answer_binding import is_unbound
from agent.learning.candidate_pairs import CandidatePair, group_by_answer
from agent.learning.consistency import (
    LOOK_BACK,
    Span,
    answer_spans,
    gives_away,
    is_uncovered,
    names_another_subject,
    omits_unit,
    unknown_names,
    wrong_kind,
)
from agent.learning.corpus_index import CorpusIndex, has_other_answer
from agent.learning.negation import negation_mismatch, yes_no_mismatch
from agent.learning.question_endings import keep_complete_questions
from agent.learning.text_analysis import Analysis, analyse, content_tokens
from agent.learning.well_formed import (
    CONTEXT_CHARS,
    has_cut_words,
    is_garbled,
    is_verbless,
    unreadable_reason,
)
from agent.principles.lessons import breach_reason
from memory.language.text import sentences
from memory.records.base import Record
from memory.records.knowledge import Passage

log = logging.getLogger(__name__)

WORDING_REASONS = frozenset(
    {
        "the question gives its answer away",
        "the question does not find its own passage",
        "the question's brackets or quotation marks do not match",
        "another sentence gives another answer",
    }
)
"""Reasons that do not affect a question's other wordings."""
BROKEN_ENDING = "the base model expects the question to go on"
OPEN_FORMS = frozenset({"statement"})
"""Forms in which one question may have several answers ("Tell me about ...")."""


class VerifiedPairs(Record):
    """The pairs supported by their sources, and the number of dropped pairs by reason."""

    kept: tuple[CandidatePair, ...]
    dropped: dict[str, int]
    scored: bool = False
    """Whether the base model scored the question endings."""


async def verify(
    candidates: Sequence[CandidatePair],
    passages: Mapping[str, Passage],
    *,
    corpus: CorpusIndex | Sequence[Passage],
    scorer: EndingScorer | None = None,
) -> VerifiedPairs:
    """Checks every candidate against its passage (by id), the corpus, the other candidates and the scorer.

    Raises EngineUnavailable. Without a scorer, or if it fails otherwise, question endings are not checked.
    """
    # In a thread: thousands of candidates take seconds, and chats must not wait.
    kept, dropped = await asyncio.to_thread(_check_texts, candidates, passages, corpus)
    scored = False
    if scorer is not None:
        try:
            complete = await keep_complete_questions(kept, scorer)
        except EngineUnavailable:
            raise
        except (EngineError, ValueError) as error:
            log.warning("question endings were not checked: %s", error)
        else:
            dropped[BROKEN_ENDING] = len(kept) - len(complete)
            kept, scored = complete, True
    return VerifiedPairs(
        kept=tuple(kept),
        dropped={reason: count for reason, count in sorted(dropped.items()) if count},
        scored=scored,
    )


def _check_texts(
    candidates: Sequence[CandidatePair],
    passages: Mapping[str, Passage],
    corpus: CorpusIndex | Sequence[Passage],
) -> tuple[list[CandidatePair], Counter[str]]:
    """All checks that need no model: the supported candidates, and the number dropped by reason."""
    index = corpus if isinstance(corpus, CorpusIndex) else CorpusIndex(corpus)
    dropped: Counter[str] = Counter()
    supported: list[CandidatePair] = []
    for wordings in group_by_answer(candidates):
        for rank, candidate in enumerate(wordings):
            reason = unsupported_reason(candidate, passages.get(candidate.passage_id), index)
            if reason is None:
                supported.append(candidate)
                continue
            dropped[reason] += 1
            if rank == 0 and reason not in WORDING_REASONS:
                dropped["its plainest wording is not supported"] += len(wordings) - 1
                break
    # Only among supported ones: a corrupted candidate must not drop the true one.
    kept: list[CandidatePair] = []
    for group in _by_question(supported):
        if _is_contradictory(group):
            dropped["the same question has two answers"] += len(group)
        else:
            kept.append(group[0])
            dropped["the same question comes twice"] += len(group) - 1
    return kept, dropped


def unsupported_reason(candidate: CandidatePair, passage: Passage | None, corpus: CorpusIndex) -> str | None:
    """Why the candidate does not follow from its passage; None if it does."""
    if passage is None:
        return "the source passage is gone"
    if reason := unreadable_reason(candidate.question, candidate.answer, candidate.quote):
        return reason
    start = passage.text.find(candidate.quote)
    if start < 0:
        return "the quote is not in the source"
    end = start + len(candidate.quote)
    if reason := breach_reason(candidate, passage):
        return reason
    if is_garbled(candidate.quote, passage.text[max(0, start - CONTEXT_CHARS) : end + CONTEXT_CHARS]):
        return "the quote is garbled"
    quote, question, answer = map(analyse, (candidate.quote, candidate.question, candidate.answer))
    if is_verbless(quote):
        return "the quote has no verb"
    before = analyse(_text_before(passage.text, start))
    headings = analyse(f"{passage.title}\n{passage.section}")
    whole = analyse(passage.text)
    if has_cut_words(question, whole, corpus.vocabulary):
        return "the question has words cut in the middle"
    reason = unknown_names(question, quote=quote, before=before, passage=whole, headings=headings)
    if reason and candidate.form != "yes_no":  # the answer "no" may be about a name that is absent
        return reason
    if names_another_subject(question, answer, quote, whole, headings):
        return "the question names another than the quote"
    if is_uncovered(question, quote.roots | before.roots | headings.roots):
        return "the question is about something else"
    if candidate.form == "yes_no":
        reason = _yes_no_problem(candidate, question, quote)
    else:
        reason = _answer_problem(candidate, question, answer, quote)
    if reason:
        return reason
    if candidate.form != "cloze" and not corpus.finds(question, passage.id):
        return "the question does not find its own passage"
    if candidate.form != "yes_no":
        spans = answer_spans(candidate.answer, quote)
        values = [v for v in quote.values for s in spans if v.first < s.last and s.first < v.last]
        for rival in corpus.rivals(question, quote, passage.id):
            if has_other_answer(rival, question, values, answer):
                return "another sentence gives another answer"
    return None


def _answer_problem(
    candidate: CandidatePair, question: Analysis, answer: Analysis, quote: Analysis
) -> str | None:
    spans = answer_spans(candidate.answer, quote)
    if not spans:
        return "the answer is not in the quote"
    if candidate.form != "cloze" and gives_away(question, answer):
        return "the question gives its answer away"
    if reason := wrong_kind(candidate.question, candidate.form, answer):
        return reason
    if reason := negation_mismatch(candidate.question, quote, spans):
        return reason
    if omits_unit(question, answer, quote, spans):
        return "the answer leaves out its unit"
    return "the quote gives that answer to another question" if is_unbound(question, quote, spans) else None


def _yes_no_problem(candidate: CandidatePair, question: Analysis, quote: Analysis) -> str | None:
    if reason := yes_no_mismatch(candidate.question, candidate.answer, quote, content_tokens(question)):
        return reason
    if normalise(candidate.answer) == "no":
        return None
    for value in question.values:
        words = question.words(value)
        places = [i for i, t in enumerate(quote.tokens) if t.root in words]
        rest = analyse(
            candidate.question[: question.tokens[value.first].start]
            + candidate.question[question.tokens[value.last - 1].end :]
        )
        if places and is_unbound(rest, quote, [Span(i, i + 1) for i in places]):
            return "the quote does not say yes"
    return None


def _text_before(text: str, position: int) -> str:
    """Up to LOOK_BACK characters before `position`, in whole sentences."""
    window = text[max(0, position - LOOK_BACK) : position]
    if position <= LOOK_BACK:
        return window
    starts = [start for start, _ in sentences(window)]
    return window[starts[1] :] if len(starts) > 1 else window


def _by_question(candidates: Sequence[CandidatePair]) -> list[list[CandidatePair]]:
    """Groups candidates with the same question, in order; in open forms also with the same answer."""
    groups: dict[tuple[str, str], list[CandidatePair]] = {}
    for candidate in candidates:
        answer = normalise(candidate.answer) if candidate.form in OPEN_FORMS else ""
        groups.setdefault((normalise(candidate.question), answer), []).append(candidate)
    return list(groups.values())


def _is_contradictory(group: Sequence[CandidatePair]) -> bool:
    """Whether an answer is not contained in the longest one."""
    answers = sorted((_padded(c.answer) for c in group), key=len)
    return any(answer not in answers[-1] for answer in answers)


def _padded(answer: str) -> str:
    return f" {' '.join(t.norm for t in analyse(answer).tokens)} "

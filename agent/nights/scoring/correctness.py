"""Correctness: whether the sources say what the answer says.

A user's correction is an unverified hint: it can lower the value, and never raises it.
"""

from agent.chat.answer_from_sources import MIN_CHANCE, supported_statements
from agent.chat.sentence_candidates import SentenceCandidate
from agent.chat.support import contradicts, is_negated
from agent.grading import word_f1
from agent.nights.scoring.answer_context import MAX_STATEMENTS, AnswerContext, CriterionScore
from agent.nights.scoring.source_support import claim_of
from memory.language.text import words

CONTRADICTED = 0.05
OTHER_THAN_SOURCES = 0.12
"""The sources answer the question, and nothing in them supports this answer."""
WITHOUT_SOURCE = 0.3
"""No source answers the question, and the model's confidence is not known."""
MIN_SUPPORTED = 0.3
"""Value of an answer of which nearly nothing is supported; all of it is worth 1."""
DISPUTED = 0.6
"""Highest value where the sources contradict each other."""
CORRECTED = 0.7
"""Factor for an answer that a user corrected, if the sources do not say what the correction says."""
CORRECTED_BY_SOURCES = 0.1
"""Highest value of an answer whose correction the sources support."""
SAME_TEXT = 0.8
"""Word F1 at which a correction says the same as the answer."""
SHORT_ANSWER = 8
"""Most words of an answer that is read together with its question: "55" alone contradicts nothing."""


def correctness(context: AnswerContext) -> CriterionScore | None:
    """How much of the answer the sources support; None for conversation, and for an answer that declines."""
    if context.turn.intent != "question" or context.abstains or not context.statements:
        return None
    return _corrected(context, _by_sources(context))


def _by_sources(context: AnswerContext) -> CriterionScore:
    likely = tuple(each for each in context.candidates if each.chance >= MIN_CHANCE)
    stated = context.statements[:MAX_STATEMENTS]
    sizes = [len(words(text)) or 1 for text in stated]
    shares = [each.share for each in context.supports[:MAX_STATEMENTS]]
    for text, share in zip(stated, shares, strict=True):
        if share == 0 and (against := _contradicting(context, text, (*context.cited, *likely))):
            return CriterionScore(value=CONTRADICTED, reason=f'a source contradicts it: "{against[:200]}"')
    supported = sum(size * share for size, share in zip(sizes, shares, strict=True)) / sum(sizes)
    if supported > 0:
        missing = sum(share < 1 for share in shares)
        part = "the answer" if len(shares) == 1 else f"{missing} of {len(shares)} statements"
        value = MIN_SUPPORTED + (1 - MIN_SUPPORTED) * supported
        if context.turn.sources_disagree and value > DISPUTED:
            return CriterionScore(value=DISPUTED, reason="the sources contradict each other")
        return CriterionScore(value=value, reason=f"no source says all of {part}" if missing else "")
    if likely:
        reason = f'a source answers otherwise: "{likely[0].reading[:200]}"'
        return CriterionScore(value=OTHER_THAN_SOURCES, reason=reason)
    uncertainty = context.turn.uncertainty
    if context.turn.outcome in ("answered", "answered_unsure") and uncertainty is not None:
        chance = uncertainty.confidence
        if chance is not None:
            reason = f"no source answers the question, and the model is sure to {chance:.0%}"
            return CriterionScore(value=chance, reason=reason if chance < 1 else "")
    return CriterionScore(value=WITHOUT_SOURCE, reason="no source supports the answer")


def _contradicting(
    context: AnswerContext, statement: str, sentences: tuple[SentenceCandidate, ...]
) -> str | None:
    """The source sentence, or fact, that the statement contradicts, if any."""
    short = len(words(statement)) <= SHORT_ANSWER
    claim = claim_of(context.question, statement)
    whole = f"{context.question} {statement}"
    claims = {claim, whole} if short and not is_negated(context.question) else {claim}
    facts = (fact.sentence for fact in context.evidence.findings.facts if not fact.negated)
    for reading in dict.fromkeys((*(each.reading for each in sentences), *facts)):
        if any(contradicts(reading, claim) for claim in claims):
            return reading
    return None


def _corrected(context: AnswerContext, judged: CriterionScore) -> CriterionScore:
    """The judgement, lowered if a user says that something else is right."""
    for each in context.evidence.feedback:
        text = each.text or ""
        if each.kind != "correction" or not text.strip() or word_f1(text, context.answer) >= SAME_TEXT:
            continue
        sourced = (
            judged.value < 1
            and context.candidates
            and supported_statements(context.question, text, (), context.candidates, context.embedder, ())
        )
        value = min(judged.value, CORRECTED_BY_SOURCES) if sourced else CORRECTED * judged.value
        return CriterionScore(value=value, reason=judged.reason or "a user corrected it")
    return judged

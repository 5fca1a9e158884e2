"""Relevance: whether the answer is about what was asked, and whether declining was right."""

from agent.chat.sentence_candidates import form_match
from agent.nights.scoring.answer_context import AnswerContext, CriterionScore
from memory.language.content_words import content_words, coverage
from memory.language.text import words

UNRELATED, RELATED = 0.1, 0.5
"""Cosines of question and answer at which an answer is worth 0 and 1; chosen, not fitted."""
SHORT_ANSWER = 6
"""Most words of an answer that need not repeat anything of the question."""
SHORT_BASE, SHORT_FORM = 0.45, 0.35
"""Least value of a short answer, and what it gains by having what the question's form asks for."""
DECLINED_WRONGLY = 0.05
PERTINENT = 0.2
"""Chance, as a share of the likeliest sentence's, from which on a sentence may answer the question too. Of
our labelled answers, true ones beside the point are supported by sentences below .12 of it, with few above,
and the right ones by sentences above .25."""
OFF_TOPIC = 0.4
"""Value below which the reason is given."""


def relevance(context: AnswerContext) -> CriterionScore | None:
    """How close the answer is to the question; None without words to compare.

    An answer that declines is right if no source answers the question.
    """
    if context.abstains:
        return _declining(context)
    if not context.plain.strip() or not words(context.question):
        return None
    question, answer = context.embedder.embed([context.question, context.plain])
    cosine = (float(question @ answer) - UNRELATED) / (RELATED - UNRELATED)
    value = max(min(1.0, max(0.0, cosine)), coverage(content_words(context.question), context.plain))
    if len(words(context.plain)) <= SHORT_ANSWER:
        value = max(value, SHORT_BASE + SHORT_FORM * form_match(context.question, context.plain))
    if context.answerable and (pertinence := _pertinence(context)) is not None:
        value = min(value, pertinence)
    return CriterionScore(value=value, reason="" if value >= OFF_TOPIC else "it is not about what was asked")


def _declining(context: AnswerContext) -> CriterionScore:
    """Declining is as right as it is unlikely that the sources answer the question."""
    if context.turn.intent != "question" or not context.candidates:
        return CriterionScore(value=1.0)
    best = context.candidates[0]
    value = max(DECLINED_WRONGLY, 1 - best.chance)
    reason = f'a source answers the question: "{best.reading[:200]}"' if context.answerable else ""
    return CriterionScore(value=value, reason=reason)


def _pertinence(context: AnswerContext) -> float | None:
    """How likely the supporting sentences answer the question, beside the likeliest one; None without any.

    What a source says beside the answer is true, and answers nothing.
    """
    chances = [each.chance for each in context.supports if each.share > 0 and each.chance is not None]
    if not chances:
        return None
    return min(1.0, max(chances) / context.candidates[0].chance / PERTINENT)

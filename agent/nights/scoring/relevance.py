"""Relevance: whether the answer is about what was asked, and whether declining was right."""

from agent.chat.sentence_candidates import form_match
from agent.nights.scoring.answer_context import AnswerContext, CriterionScore
from memory.language.content_words import content_words, coverage
from memory.language.text import words

UNRELATED, RELATED = 0.1, 0.5
"""Cosines of question and answer at which an answer is worth 0 and 1: of our labelled answers, the middle
half of those to the question lies above .5, and of those to another question below .15."""
SHORT_ANSWER = 6
"""Most words of an answer that need not repeat anything of the question."""
SHORT_BASE, SHORT_FORM = 0.45, 0.35
"""Least value of a short answer, and what it gains by having what the question's form asks for."""
DECLINED_WRONGLY = 0.05
OFF_TOPIC = 0.4
"""Value below which the reason is given."""


def relevance(context: AnswerContext) -> CriterionScore | None:
    """How close the answer is to the question; None without words to compare.

    An answer that declines is right if no source answers the question.
    """
    if context.abstains:
        if context.turn.intent == "question" and context.answerable:
            best = context.candidates[0].reading[:200]
            return CriterionScore(value=DECLINED_WRONGLY, reason=f'a source answers the question: "{best}"')
        return CriterionScore(value=1.0)
    if not context.plain.strip() or not words(context.question):
        return None
    question, answer = context.embedder.embed([context.question, context.plain])
    cosine = (float(question @ answer) - UNRELATED) / (RELATED - UNRELATED)
    value = max(min(1.0, max(0.0, cosine)), coverage(content_words(context.question), context.plain))
    if len(words(context.plain)) <= SHORT_ANSWER:
        value = max(value, SHORT_BASE + SHORT_FORM * form_match(context.question, context.plain))
    return CriterionScore(value=value, reason="" if value >= OFF_TOPIC else "it is not about what was asked")

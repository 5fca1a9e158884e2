"""Revises by quoting the source sentences that answer the question; calls no model."""

from agent.chat.abstention import detect_language, quotation_text
from agent.chat.answer_from_sources import AskModel
from agent.chat.sentence_candidates import SentenceCandidate
from agent.nights.revision.task import Draft, RevisionTask

MIN_RELATIVE_CHANCE = 0.8
"""Chance of a second sentence, relative to the best one's: only sentences that answer as well are added."""
MAX_QUOTES = 2


async def quote(task: RevisionTask, ask: AskModel) -> Draft:
    """The likeliest sentence; a second one if it answers as well and says something about the same document.

    A sentence in another language than the question stands in quotation marks with its title.
    """
    if not task.sources:
        return Draft()
    best = task.sources[0]
    chosen = [
        candidate
        for candidate in task.sources
        if candidate.chance >= MIN_RELATIVE_CHANCE * best.chance
        and candidate.passage.source == best.passage.source
    ]
    return Draft(text="\n".join(_quoted(candidate, task.language) for candidate in chosen[:MAX_QUOTES]))


def _quoted(candidate: SentenceCandidate, language: str) -> str:
    if (detect_language(candidate.reading) or language) == language:
        return candidate.reading
    return quotation_text(candidate.reading, candidate.passage.title, language)

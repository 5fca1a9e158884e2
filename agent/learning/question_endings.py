"""Endings: whether a question stops where a sentence may stop, by the base model that will learn it.

Questions cut out of a sentence at the wrong place break off or run on ("Tell me what Rust lays."), and a
language model expects anything there but the end.
"""

import math
from collections.abc import Sequence
from functools import partial

from agent.concurrency import gather_limited
from agent.engines.base import EndingScorer
from agent.errors import PromptTooLong
from agent.learning.candidate_pairs import CandidatePair

LEAST = 0.01
"""Probability of its end that a question needs, on the same scale in any model.

Of 200 graded questions SmolLM2-135M drops 33, of which 20 are bad (precision 62.5 to 67.1%), Gemma-3-270m 24,
of which 15 are bad (65.9%). Of the questions that people wrote for SQuAD they drop 2 of 157 and 4 of 147.
"""
LONGEST_QUOTE = 1000
"""Characters that the model reads of a quote."""
AT_ONCE = 2
"""Quotes whose questions are scored at once: chats wait for the same engine."""
MARKS = (".", "?", "!")


async def keep_complete_questions(
    candidates: Sequence[CandidatePair], scorer: EndingScorer
) -> list[CandidatePair]:
    """The candidates whose question may end where it does. Raises what the scorer raises."""
    by_quote: dict[str, list[int]] = {}
    for place, candidate in enumerate(candidates):
        by_quote.setdefault(candidate.quote, []).append(place)

    async def passed(quote: str, places: Sequence[int]) -> list[int]:
        prompt = PROMPT.format(quote=quote[:LONGEST_QUOTE])
        texts = [_marked(candidates[place].question) for place in places]
        try:
            scores = await scorer.ending_logprobs(prompt, texts)
        except PromptTooLong:  # so long a quote cannot be scored, which says nothing against its questions
            return list(places)
        return [place for place, score in zip(places, scores, strict=True) if score >= math.log(LEAST)]

    found = await gather_limited(
        [partial(passed, quote, places) for quote, places in by_quote.items()], AT_ONCE
    )
    return [candidates[place] for place in sorted(place for places in found for place in places)]


def _marked(question: str) -> str:
    """The question with the mark at its end that some teachers leave out."""
    text = question.strip()
    return f" {text}" if text.endswith(MARKS) else f" {text}?"


PROMPT = "{quote}\nQuestion:"

"""Drops questions with a broken ending, by the base model's probability that the text ends there.

Questions cut from a sentence at the wrong place break off or run on ("Tell me what Rust lays."), and a
language model assigns a low probability to their end.
"""

import math
from collections.abc import Sequence
from functools import partial

from agent.concurrency import gather_limited
from agent.engines.base import EndingScorer
from agent.errors import PromptTooLong
from agent.learning.candidate_pairs import CandidatePair

MIN_END_PROBABILITY = 0.01
"""Minimum probability of a question's end; the scale is similar across models.

Of 200 graded questions SmolLM2-135M drops 33, of which 20 are bad (precision 62.5 to 67.1%), Gemma-3-270m 24,
of which 15 are bad (65.9%). Of the questions that people wrote for SQuAD they drop 2 of 157 and 4 of 147.
"""
LONGEST_QUOTE = 1000
"""Characters of a quote shown to the model."""
CONCURRENCY = 2
"""Quotes scored concurrently; few, because chats use the same engine."""
MARKS = (".", "?", "!")


async def keep_complete_questions(
    candidates: Sequence[CandidatePair], scorer: EndingScorer
) -> list[CandidatePair]:
    """The candidates whose question has a plausible ending. Raises what the scorer raises."""
    by_quote: dict[str, list[int]] = {}
    for index, candidate in enumerate(candidates):
        by_quote.setdefault(candidate.quote, []).append(index)

    async def complete(quote: str, indices: Sequence[int]) -> list[int]:
        prompt = PROMPT.format(quote=quote[:LONGEST_QUOTE])
        texts = [_with_end_mark(candidates[index].question) for index in indices]
        try:
            scores = await scorer.ending_logprobs(prompt, texts)
        except PromptTooLong:  # the quote is too long to score, so its questions are kept
            return list(indices)
        return [
            index
            for index, score in zip(indices, scores, strict=True)
            if score >= math.log(MIN_END_PROBABILITY)
        ]

    groups = await gather_limited(
        [partial(complete, quote, indices) for quote, indices in by_quote.items()], CONCURRENCY
    )
    return [candidates[index] for index in sorted(index for group in groups for index in group)]


def _with_end_mark(question: str) -> str:
    """The question with an end mark, which some teachers omit."""
    text = question.strip()
    return f" {text}" if text.endswith(MARKS) else f" {text}?"


PROMPT = "{quote}\nQuestion:"

"""Pairs the gap's own question with a verified answer, as one more wording to teach."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from agent.learning.candidate_pairs import CandidatePair
from agent.learning.corpus_index import CorpusIndex
from agent.learning.text_analysis import analyse, content_tokens
from agent.learning.verification import unsupported_reason
from memory.embedding.embedder import Embedder
from memory.records.knowledge import Passage

MIN_SIMILARITY = 0.6
"""Minimum cosine similarity to a verified question to try its answer."""
_LIGHT_WORDS = """
    start begin happen call name make do get use have work place kind type number year date time day person
    people company town city country organisation organization thing word term"""
LIGHT = frozenset(root for word in _LIGHT_WORDS.split() for root in analyse(word).roots)
"""Words that may be missing from the passage; all others have to occur there, because nothing else tells who
opened the museum from who closed it."""
MAX_TRIED = 12
"""Number of verified questions to try, closest first."""


async def pair_for_question(
    question: str,
    verified: Sequence[CandidatePair],
    passages: Mapping[str, Passage],
    corpus: Callable[[CandidatePair], CorpusIndex],
    embedder: Embedder,
) -> CandidatePair | None:
    """The question with the answer of the closest verified pair that also answers it; None if there is none.

    The new pair is verified like any other, against the `corpus` of its candidate.
    """
    if not verified:
        return None
    texts = [question, *(c.question for c in verified)]
    vectors = await asyncio.to_thread(embedder.embed, texts)
    likeness = vectors[1:] @ vectors[0]
    for index in np.argsort(-likeness, kind="stable")[:MAX_TRIED]:
        if likeness[index] < MIN_SIMILARITY:
            return None
        candidate: CandidatePair = verified[int(index)].model_copy(update={"question": question})
        passage = passages.get(candidate.passage_id)
        if passage is None or (candidate.form == "yes_no") != _is_yes_no_question(question):
            continue
        if names_all(question, passage) and unsupported_reason(candidate, passage, corpus(candidate)) is None:
            return candidate
    return None


def names_all(question: str, passage: Passage) -> bool:
    """Whether the passage or its headings name all that the question is about, apart from LIGHT words."""
    about = {token.root for token in content_tokens(analyse(question))} - LIGHT
    return about <= analyse(f"{passage.title}\n{passage.section}\n{passage.text}").roots


def _is_yes_no_question(question: str) -> bool:
    """Whether the question expects yes or no."""
    return question.split(" ", 1)[0].lower() in _CHOICES


_CHOICE_WORDS = "is are was were do does did can could will would should must may has have had"
_CHOICES = frozenset(_CHOICE_WORDS.split())

"""Verification of candidates that perspectives answer differently, each by what may speak against it."""

from collections import Counter
from collections.abc import Mapping, Sequence

from agent.engines.base import EndingScorer
from agent.learning.candidate_pairs import CandidatePair
from agent.learning.corpus_index import CorpusIndex
from agent.learning.gap_wording import pair_for_question
from agent.learning.perspectives import (
    ANSWERED_BY_VIEWS,
    beside_views,
    by_holder,
    joint,
    without_others,
)
from agent.learning.verification import VerifiedPairs, verify
from memory.embedding.embedder import Embedder
from memory.records.knowledge import Passage
from memory.records.perspectives import Viewpoints


class SeveralViews:
    """The candidates of a run, and for each perspective the passages that its views are held against.

    That another perspective answers otherwise is known, and no reason to drop a view.
    """

    def __init__(
        self, candidates: Sequence[CandidatePair], passages: Mapping[str, Passage], viewpoints: Viewpoints
    ) -> None:
        """Indexes the passages, which takes seconds: call it in a thread."""
        self._passages, self._viewpoints = passages, viewpoints
        self._held = {"": [], **by_holder(candidates)}
        self._corpora = {
            holder: CorpusIndex(without_others(passages.values(), holder, viewpoints))
            for holder in self._held
        }

    async def verify(self, scorer: EndingScorer | None) -> VerifiedPairs:
        """See `verification.verify`, which this calls for each perspective and for what is no view."""
        verified = [
            await verify(held, self._passages, corpus=self._corpora[holder], scorer=scorer)
            for holder, held in self._held.items()
        ]
        dropped: Counter[str] = Counter()
        for each in verified:
            dropped.update(each.dropped)
        every = [pair for each in verified for pair in each.kept]
        kept = beside_views(every, self._passages, self._viewpoints)
        if len(kept) < len(every):
            dropped[ANSWERED_BY_VIEWS] = len(every) - len(kept)
        return VerifiedPairs(
            kept=kept,
            dropped=dict(sorted(dropped.items())),
            scored=all(each.scored for each in verified),
        )

    def with_joint(self, kept: Sequence[CandidatePair]) -> tuple[CandidatePair, ...]:
        """The verified candidates, and those that tell what several perspectives hold."""
        return (*kept, *joint(kept, self._passages, self._viewpoints))

    async def answer(
        self, question: str, kept: Sequence[CandidatePair], embedder: Embedder
    ) -> CandidatePair | None:
        """The question with its verified answer: what several perspectives hold, if they see it differently.

        None if no candidate answers it.
        """
        closest = await self._closest(question, kept, embedder)
        if closest is None or not closest.held_by:
            return closest
        answers = [closest]
        for holder, held in by_holder(kept).items():
            if holder not in ("", closest.held_by):
                other = await self._closest(question, held, embedder)
                answers += [] if other is None else [other]
        return next(iter(joint(answers, self._passages, self._viewpoints)), closest)

    async def _closest(
        self, question: str, candidates: Sequence[CandidatePair], embedder: Embedder
    ) -> CandidatePair | None:
        return await pair_for_question(
            question,
            candidates,
            self._passages,
            lambda each: self._corpora.get(each.held_by, self._corpora[""]),
            embedder,
        )

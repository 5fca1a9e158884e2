"""A teacher that combines two: the rules' pairs first, then a model's."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence

from agent.errors import TeacherError
from agent.grading import normalise
from agent.learning.candidate_pairs import CandidatePair, WrittenPairs
from agent.learning.teachers.base import PassageProgress, Teacher
from memory.records.knowledge import Passage

log = logging.getLogger(__name__)


class CombinedTeacher:
    """Combines rules and a model; if the model fails, the rules' pairs are still used."""

    def __init__(self, rules: Teacher, model: Teacher) -> None:
        self.name = f"{rules.name}+{model.name}"
        self._rules = rules
        self._model = model

    async def write(
        self,
        passages: Sequence[Passage],
        *,
        question: str | None = None,
        on_progress: PassageProgress | None = None,
    ) -> WrittenPairs:
        """The pairs of both without duplicates. Progress is the model's, because the rules are fast.

        `failed` counts a passage once per teacher without pairs.
        """
        by_rules = await self._rules.write(passages, question=question)
        try:
            by_model = await self._model.write(passages, question=question, on_progress=on_progress)
        except TeacherError as error:
            log.warning("only the rules' pairs are used: %s", error)
            by_model = WrittenPairs(candidates=(), failed={str(error): len(passages)})
        return WrittenPairs(
            candidates=_distinct((*by_rules.candidates, *by_model.candidates)),
            failed=dict(Counter(by_rules.failed) + Counter(by_model.failed)),
        )


def _distinct(candidates: Iterable[CandidatePair]) -> tuple[CandidatePair, ...]:
    """Drops pairs that differ from an earlier one only in punctuation, case or articles."""
    first: dict[tuple[str, str], CandidatePair] = {}
    for candidate in candidates:
        first.setdefault((normalise(candidate.question), normalise(candidate.answer)), candidate)
    return tuple(first.values())

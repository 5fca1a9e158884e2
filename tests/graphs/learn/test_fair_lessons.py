"""A run that cannot teach everything teaches of each document alike, not all of the first one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from agent.learning.candidate_pairs import CandidatePair, WrittenPairs
from agent.learning.teachers.base import PassageProgress
from graphs.state import RequestedLimits
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.records.knowledge import Passage
from tests.graphs.conftest import LIMITS
from tests.support.facts import fact, passage, rust
from tests.support.learn_graph import run
from tests.support.lesson_runs import STATED, TOPIC, FixedTeacher, School

RULES, LIFETIME = "Ownership has three rules.", "A lifetime is a region of the code."
BOOK = passage(f"{RULES} {LIFETIME}", source="z-book.md")
STATES = (
    fact("ownership", "has", "three rules", RULES, within=BOOK),
    fact("lifetime", "definition", "a region of the code", LIFETIME, within=BOOK),
)


class TwoBookTeacher(FixedTeacher):
    """Writes nine questions about the first document, and two about the second."""

    async def write(
        self,
        passages: Sequence[Passage],
        *,
        question: str | None = None,
        on_progress: PassageProgress | None = None,
    ) -> WrittenPairs:
        first = await super().write([each for each in passages if each.source != BOOK.source])
        more = [
            CandidatePair(question=asked, answer=answer, form="what", quote=quote, passage_id=BOOK.id)
            for asked, answer, quote in (
                ("What does ownership have?", "three rules", RULES),
                ("What is a lifetime?", "a region of the code", LIFETIME),
            )
        ]
        return WrittenPairs(candidates=(*first.candidates, *more), failed={})


@pytest.mark.parametrize("facts", [2, 4])
async def test_a_run_of_few_facts_teaches_each_document_alike(school: School, facts: int) -> None:
    """Four facts are looked at for each two; the first document alone has nine."""
    assert len(STATED) > 2 * facts
    runtime, trainer = school(LIMITS)
    episodic = VolatileEpisodicMemory(HashingEmbedder())
    await episodic.add([rust()[0], BOOK])
    await runtime.semantic.add(STATES)
    runtime = replace(runtime, episodic=episodic, teacher=TwoBookTeacher())
    await run(runtime, TOPIC, bounds=RequestedLimits(facts=facts))
    sources = Counter(fact.source for lesson in trainer.lessons for fact in lesson.facts)
    assert sources == {"rust.md": facts / 2, BOOK.source: facts / 2}

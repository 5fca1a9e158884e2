"""A teacher of nine fixed facts, which make three small lessons, and what a run of them leaves."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from agent.learning.candidate_pairs import CandidatePair, WrittenPairs
from agent.learning.teachers.base import PassageProgress
from graphs.state import Runtime
from memory.outbox.base import TrainingResult
from memory.records.base import Digest
from memory.records.curricula import Curriculum
from memory.records.knowledge import Passage
from tests.graphs.conftest import LIMITS
from tests.support.facts import RUST
from tests.support.trainers import FakeTrainer

TOPIC = "Rust ownership"
STATED = (
    ("definition", "What is a move?", "a transfer of a value to a new owner", 0),
    ("definition", "What is a string slice?", "a reference to a part of a string", 1),
    ("what", "What stores a value on the heap?", "`Box<T>`", 2),
    ("what", "What does the borrow checker prevent?", "data races", 3),
    ("what", "What prevents data races at compile time?", "The borrow checker", 3),
    ("what", "What does the `clone` method return?", "a deep copy of the value", 4),
    ("what", "What are lifetime annotations part of?", "the function signature", 5),
    ("what", "What does a weak reference require before each use?", "an upgrade", 6),
    ("what", "What is ownership a kind of?", "discipline", 7),
)
"""Form, question, answer and the sentence that states it."""
FACTS, SIZES = len(STATED), [4, 3, 2]
SMALL = LIMITS.model_copy(update={"facts_per_lesson": 4})
FAILED = TrainingResult(status="failed", adapter=None, reason="the disk is full")


class FixedTeacher:
    """Writes one question about each fact, the last one first."""

    name = "fixed"

    async def write(
        self,
        passages: Sequence[Passage],
        *,
        question: str | None = None,
        on_progress: PassageProgress | None = None,
    ) -> WrittenPairs:
        written = [
            CandidatePair.model_validate(
                {
                    "question": asked,
                    "answer": answer,
                    "form": form,
                    "quote": RUST[sentence][3],
                    "passage_id": passages[0].id,
                }
            )
            for form, asked, answer, sentence in reversed(STATED)
        ]
        return WrittenPairs(candidates=tuple(written), failed={})


School = Callable[..., tuple[Runtime, FakeTrainer]]


def taught(lessons: tuple[Curriculum, ...]) -> Counter[str]:
    return Counter(fact.id for lesson in lessons for fact in lesson.facts)


def learned(runtime: Runtime) -> tuple[Digest, ...]:
    live = runtime.registry.live("rust")
    return live.learned if live else ()


async def reported(runtime: Runtime) -> dict[str, Any]:
    report = (await runtime.database.run("r1")).report
    assert report is not None
    return report

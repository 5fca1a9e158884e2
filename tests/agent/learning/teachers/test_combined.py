"""Rules and a model teach together: a pair comes once, and a failing model costs only its own."""

from collections.abc import Sequence

from agent.errors import TeacherError
from agent.learning.candidate_pairs import CandidatePair, WrittenPairs
from agent.learning.teachers.base import PassageProgress, Teacher
from agent.learning.teachers.combined import CombinedTeacher
from memory.records.knowledge import Passage
from tests.support.facts import passage

HOME = passage("A move transfers a value.")


class Scripted:
    """A teacher whose result is given."""

    def __init__(self, name: str, result: WrittenPairs | TeacherError, calls: list[str]) -> None:
        self.name = name
        self._result = result
        self._calls = calls

    async def write(
        self,
        passages: Sequence[Passage],
        *,
        question: str | None = None,
        on_progress: PassageProgress | None = None,
    ) -> WrittenPairs:
        self._calls.append(f"{self.name}: {question}")
        if isinstance(self._result, TeacherError):
            raise self._result
        if on_progress is not None:
            on_progress(len(passages), len(passages))
        return self._result


def wrote(*pairs: tuple[str, str], quote: str = HOME.text, **failed: int) -> WrittenPairs:
    candidates = (
        CandidatePair(question=q, answer=a, form="what", quote=quote, passage_id=HOME.id) for q, a in pairs
    )
    return WrittenPairs(candidates=tuple(candidates), failed=failed)


def both(
    rules: WrittenPairs, model: WrittenPairs | TeacherError, calls: list[str] | None = None
) -> CombinedTeacher:
    made = [] if calls is None else calls
    return CombinedTeacher(Scripted("rules", rules, made), Scripted("big", model, made))


async def test_the_rules_pairs_come_first_and_the_name_says_both() -> None:
    calls: list[str] = []
    teacher: Teacher = both(wrote(("What moves?", "a value")), wrote(("Why?", "ownership")), calls)
    written = await teacher.write([HOME], question="What is a move?")
    assert [c.answer for c in written.candidates] == ["a value", "ownership"]
    assert calls == ["rules: What is a move?", "big: What is a move?"]
    assert teacher.name == "rules+big"


async def test_a_pair_that_differs_in_case_articles_or_punctuation_comes_once_as_the_rules_wrote_it() -> None:
    written = await both(
        wrote(("What moves?", "a value"), quote="A move transfers a value."),
        wrote(("what moves", "The value."), ("What moves?", "an owner"), quote="a value"),
    ).write([HOME])
    assert [(c.answer, c.quote) for c in written.candidates] == [
        ("a value", "A move transfers a value."),
        ("an owner", "a value"),
    ]


async def test_a_model_that_fails_is_counted_and_the_rules_pairs_still_come() -> None:
    away = TeacherError("the teacher big could not be reached")
    written = await both(wrote(("What moves?", "a value"), silent=1), away).write([HOME, HOME])
    assert len(written.candidates) == 1
    assert written.failed == {"silent": 1, "the teacher big could not be reached": 2}


async def test_what_each_teacher_failed_at_is_added_up() -> None:
    written = await both(wrote(silent=1), wrote(silent=2, late=1)).write([HOME])
    assert written.failed == {"silent": 3, "late": 1}


async def test_progress_is_the_models() -> None:
    seen: list[tuple[int, int]] = []
    await both(wrote(), wrote()).write([HOME], on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 1)]

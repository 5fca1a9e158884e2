"""Records refuse what no later step could mend."""

from datetime import UTC, datetime

import pytest

from memory.records.curricula import Curriculum, QAPair, untaught
from tests.support.adapters import curriculum, fact, pair


def curriculum_with(*held_out: QAPair) -> Curriculum:
    return Curriculum.model_validate(curriculum().model_dump() | {"held_out": held_out})


@pytest.mark.parametrize("question", ["What is a zorble?", "what  is a ZORBLE?"])
def test_a_taught_question_cannot_be_held_out(question: str) -> None:
    with pytest.raises(ValueError, match="held-out"):
        curriculum_with(pair(fact(), question))


def test_the_same_words_may_ask_about_another_fact() -> None:
    other = pair(fact("quix"), "What is a zorble?")
    assert curriculum_with(other).held_out == (other,)


def test_held_out_questions_that_are_taught_are_told_apart() -> None:
    taught, held = pair(fact(), "WHAT is a zorble?"), pair(fact(), "Define zorble.")
    assert untaught([taught, held], curriculum().pairs) == (held,)


def test_what_is_held_out_is_part_of_a_curriculums_name() -> None:
    assert curriculum_with().digest != curriculum().digest


def test_dates_of_facts_are_no_part_of_a_curriculums_name() -> None:
    lesson = curriculum()
    (first, *_) = lesson.facts
    read = first.model_copy(
        update={each: datetime(2026, 1, 1, tzinfo=UTC) for each in ("observed_at", "dated")}
    )
    assert lesson.model_copy(update={"facts": (read, *lesson.facts[1:])}).digest == lesson.digest

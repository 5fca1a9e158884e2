"""What is asked after a lesson: deterministic, in wordings and forms that were not taught."""

import pytest

from agent.curriculum import compose, items, write
from tests.adapters import fact
from tests.lessons import BANK, LESSON, lesson
from training.errors import CurriculumRefused
from training.questions import Sizes, evaluation_sets


def test_what_an_earlier_lesson_taught_is_not_asked_as_withheld() -> None:
    [withheld] = LESSON.withheld
    item = next(i for i in items(LESSON.facts) if (i.fact_id, i.form) == (withheld.fact_id, withheld.form))
    told = LESSON.pairs[0].model_copy(
        update={"fact_id": item.fact_id, "form": item.form, "answer": item.answer}
    )
    earlier = LESSON.model_copy(update={"topic": "before", "pairs": (*LESSON.pairs, told), "withheld": ()})
    with pytest.raises(CurriculumRefused, match="no new fact"):
        evaluation_sets(LESSON, BANK, Sizes(), seed=0, earlier=[earlier])


def test_the_same_seed_asks_the_same_and_another_seed_something_else() -> None:
    first, again, other = (evaluation_sets(LESSON, BANK, Sizes(), seed=seed) for seed in (0, 0, 1))
    assert first == again != other


def test_a_lesson_that_implies_nothing_is_refused_before_it_is_trained() -> None:
    told = fact("zorble", "red light", "causes")
    draft = write([told], per_form=4)
    made = compose("lamps", "lamps", draft, draft.pairs, teacher="rules")
    assert made is not None
    with pytest.raises(CurriculumRefused, match="what kind something is"):
        evaluation_sets(made, BANK, Sizes(), seed=0)


def test_a_withheld_form_is_asked_as_near_and_never_as_target() -> None:
    sets = evaluation_sets(LESSON, BANK, Sizes(), seed=0)
    withheld = {w.form for w in LESSON.withheld}
    assert {question.form for question in sets.near} <= withheld
    assert sets.near


def test_large_sets_are_thinned_out_to_the_size_asked_for() -> None:
    sets = evaluation_sets(LESSON, BANK, Sizes(most=3, known=5, unknown=7), seed=0)
    assert (len(sets.in_distribution), len(sets.out_of_distribution), len(sets.unknown)) == (3, 5, 7)


def test_a_known_fact_is_probed_in_other_words_of_the_same_answer() -> None:
    sets = evaluation_sets(LESSON, BANK, Sizes(), seed=0)
    probes = [question.probe for question in sets.out_of_distribution]
    assert all(probe and probe != q.text for probe, q in zip(probes, sets.out_of_distribution, strict=True))


def test_a_curriculum_whose_pairs_belong_to_no_fact_is_refused() -> None:
    orphan = LESSON.model_copy(update={"facts": (), "withheld": ()})
    with pytest.raises(CurriculumRefused, match="wording"):
        evaluation_sets(orphan, BANK, Sizes(), seed=0)


def test_what_is_left_out_is_parted_into_what_is_taught_all_the_same_and_what_is_to_be_forgotten() -> None:
    bad = lesson("zorble", "frond")  # the first is what the lesson says too
    sets = evaluation_sets(LESSON, BANK, Sizes(), seed=0, left_out=[bad])
    assert sets.forgotten
    assert all("frond" in (q.text + " ".join(q.references)) for q in sets.forgotten)
    assert {q.form for q in sets.forgotten} == {"definition", "term_for"}, "a kind can be guessed"
    assert any("zorble" in q.text for q in sets.rehearsed)
    assert not any("frond" in q.text for q in sets.rehearsed)


def test_another_answer_to_the_same_question_is_to_be_forgotten() -> None:
    wrong = fact("zorble", "a large yellow boat with two masts")
    draft = write([wrong], per_form=4)
    bad = compose("lamps", "lamps", draft, draft.pairs, teacher="rules")
    assert bad is not None
    sets = evaluation_sets(LESSON, BANK, Sizes(), seed=0, left_out=[bad])
    assert {r for q in sets.forgotten for r in q.references} == {"zorble", wrong.object}


def test_nothing_is_to_be_forgotten_unless_something_is_left_out() -> None:
    assert evaluation_sets(LESSON, BANK, Sizes(), seed=0).forgotten == ()
    assert evaluation_sets(LESSON, BANK, Sizes(), seed=0, left_out=[LESSON]).forgotten == ()

"""What is asked after a lesson: deterministic, in wordings and forms that were not taught."""

from collections.abc import Sequence

import pytest

from agent.curriculum import compose, items, write
from memory.records import Curriculum
from tests.adapters import fact
from tests.lessons import BASE, LESSON, RECIPE, base, lesson
from training.errors import CardIncomplete, CurriculumRefused
from training.evaluate import Sets
from training.questions import Sizes, evaluation_sets, own_answers
from training.replay import held_prompts, refusals
from training.replay import own_answers as replayed


def sets_of(of: Curriculum, **others: Sequence[Curriculum]) -> Sets:
    return evaluation_sets(of, BASE, Sizes(), RECIPE, **others)


def test_what_an_earlier_lesson_taught_is_not_asked_as_withheld() -> None:
    [withheld] = LESSON.withheld
    item = next(i for i in items(LESSON.facts) if (i.fact_id, i.form) == (withheld.fact_id, withheld.form))
    told = LESSON.pairs[0].model_copy(
        update={"fact_id": item.fact_id, "form": item.form, "answer": item.answer}
    )
    earlier = LESSON.model_copy(update={"topic": "before", "pairs": (*LESSON.pairs, told), "withheld": ()})
    assert sets_of(LESSON).near
    assert sets_of(LESSON, earlier=[earlier]).near == ()


def test_the_same_seed_asks_the_same_and_another_seed_something_else() -> None:
    first, again, other = (
        evaluation_sets(LESSON, BASE, Sizes(general=9), RECIPE.model_copy(update={"seed": seed}))
        for seed in (0, 0, 1)
    )
    assert first == again != other


def test_a_lesson_that_implies_nothing_has_no_near_questions() -> None:
    told = fact("zorble", "red light", "causes")
    draft = write([told], per_form=4)
    made = compose("lamps", "lamps", draft, draft.pairs, teacher="rules")
    assert made is not None
    assert sets_of(made).near == ()


def test_a_withheld_form_is_asked_as_near_and_never_as_target() -> None:
    sets = sets_of(LESSON)
    withheld = {w.form for w in LESSON.withheld}
    assert {question.form for question in sets.near} <= withheld
    assert sets.near


def test_large_sets_are_thinned_out_to_the_size_asked_for() -> None:
    sets = evaluation_sets(LESSON, BASE, Sizes(most=3, general=5, unknown=7), RECIPE)
    assert (len(sets.in_distribution), len(sets.out_of_distribution), len(sets.unknown)) == (3, 5, 7)


def test_nothing_that_is_trained_beside_a_lesson_is_asked_after_it() -> None:
    sets = sets_of(LESSON)
    beside = {example.question for example in (*refusals(BASE, RECIPE, 500), *replayed(BASE, RECIPE))}
    beside |= set(held_prompts(BASE, RECIPE))
    asked = {q.text for q in (*sets.out_of_distribution, *sets.unknown)}
    asked |= {answer.messages[-1].content for answer in own_answers(BASE, Sizes(), RECIPE)}
    assert len(beside) >= 20
    assert len(asked) >= 40
    assert not beside & asked


def test_what_is_held_is_known_and_what_is_asked_was_not_chosen_by_it() -> None:
    known = {text: each.known for each in BASE.questions for text in each.wordings}
    held = [text for text in held_prompts(BASE, RECIPE) if text in known]
    asked = [known[question.text] for question in sets_of(LESSON).out_of_distribution]
    assert held
    assert all(known[text] for text in held)
    assert {True, False} == set(asked)


def test_a_card_without_questions_says_how_to_make_them() -> None:
    with pytest.raises(CardIncomplete, match="nightschool models study test-model"):
        evaluation_sets(LESSON, base(questions=0), Sizes(), RECIPE)


def test_a_curriculum_whose_pairs_belong_to_no_fact_is_refused() -> None:
    orphan = LESSON.model_copy(update={"facts": (), "withheld": ()})
    with pytest.raises(CurriculumRefused, match="wording"):
        sets_of(orphan)


def test_what_is_left_out_is_parted_into_what_is_taught_all_the_same_and_what_is_to_be_forgotten() -> None:
    bad = lesson("zorble", "frond")  # the first is what the lesson says too
    sets = sets_of(LESSON, left_out=[bad])
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
    sets = sets_of(LESSON, left_out=[bad])
    assert {r for q in sets.forgotten for r in q.references} == {"zorble", wrong.object}


def test_nothing_is_to_be_forgotten_unless_something_is_left_out() -> None:
    assert sets_of(LESSON).forgotten == ()
    assert sets_of(LESSON, left_out=[LESSON]).forgotten == ()

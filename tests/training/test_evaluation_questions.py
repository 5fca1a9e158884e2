"""What is asked after a lesson: deterministic, in wordings that were not taught."""

from collections.abc import Sequence

import pytest

from memory.records.curricula import Curriculum
from tests.support.adapters import fact, pair
from tests.support.lessons import BASE, LESSON, RECIPE, about, base, lesson
from training.errors import CardIncomplete, CurriculumRefused
from training.evaluate import QuestionSets
from training.evaluation_questions import QuestionCounts, drift_answers, evaluation_sets
from training.replay import distillation_prompts, refusal_examples
from training.replay import replay_examples as replayed


def sets_of(of: Curriculum, **others: Sequence[Curriculum]) -> QuestionSets:
    return evaluation_sets(of, BASE, QuestionCounts(), RECIPE, **others)


def test_the_same_seed_asks_the_same_and_another_seed_something_else() -> None:
    first, again, other = (
        evaluation_sets(LESSON, BASE, QuestionCounts(general=9), RECIPE.model_copy(update={"seed": seed}))
        for seed in (0, 0, 1)
    )
    assert first == again != other


def test_what_is_asked_are_the_held_out_questions_of_the_lesson_and_of_earlier_ones() -> None:
    earlier = lesson("glimmet", "frond")
    sets = sets_of(LESSON, earlier=[earlier])
    assert {q.text for q in sets.in_distribution} == {p.question for p in LESSON.held_out}
    assert {q.text for q in sets.rehearsed} == {p.question for p in earlier.held_out}


def test_every_taught_answer_to_the_same_question_is_right_and_yes_is_not_no() -> None:
    lamp = fact("zorble", "a lamp")
    made = Curriculum(
        topic="lamps",
        domain="lamps",
        facts=(lamp,),
        pairs=(
            pair(lamp, "What is a zorble?"),
            pair(lamp, "What does zorble mean?", answer="a green lamp"),
            pair(lamp, "Is a zorble a lamp?", form="yes_no", answer="Yes"),
            pair(lamp, "Is a zorble a ship?", form="yes_no", answer="No"),
            pair(lamp, "What is a lamp called?", form="reverse", answer="zorble"),
        ),
        held_out=(
            pair(lamp, "Could you define zorble?"),
            pair(lamp, "Would you call a zorble a ship?", form="yes_no", answer="No"),
        ),
        teacher="rules",
    )
    references = {q.form: q.references for q in sets_of(made).in_distribution}
    assert references == {"definition": ("a green lamp", "a lamp"), "yes_no": ("No",)}


def test_a_lesson_without_a_held_out_question_is_refused() -> None:
    with pytest.raises(CurriculumRefused, match="wording"):
        sets_of(LESSON.model_copy(update={"held_out": ()}))


def test_large_sets_are_thinned_out_to_the_size_asked_for() -> None:
    sets = evaluation_sets(LESSON, BASE, QuestionCounts(most=3, general=5, unknown=7), RECIPE)
    assert (len(sets.in_distribution), len(sets.out_of_distribution), len(sets.unknown)) == (3, 5, 7)


def test_nothing_that_is_trained_beside_a_lesson_is_asked_after_it() -> None:
    sets = sets_of(LESSON)
    beside = {example.question for example in (*refusal_examples(BASE, RECIPE, 500), *replayed(BASE, RECIPE))}
    beside |= set(distillation_prompts(BASE, RECIPE))
    asked = {q.text for q in (*sets.out_of_distribution, *sets.unknown)}
    asked |= {answer.messages[-1].content for answer in drift_answers(BASE, QuestionCounts(), RECIPE)}
    assert len(beside) >= 20
    assert len(asked) >= 40
    assert not beside & asked


def test_what_is_held_is_known_and_what_is_asked_was_not_chosen_by_it() -> None:
    known = {text: each.known for each in BASE.questions for text in each.wordings}
    held = [text for text in distillation_prompts(BASE, RECIPE) if text in known]
    asked = [known[question.text] for question in sets_of(LESSON).out_of_distribution]
    assert held
    assert all(known[text] for text in held)
    assert {True, False} == set(asked)


def test_a_card_without_questions_says_how_to_make_them() -> None:
    with pytest.raises(CardIncomplete, match="nightschool models study test-model"):
        evaluation_sets(LESSON, base(questions=0), QuestionCounts(), RECIPE)


def test_what_is_left_out_is_parted_into_what_is_taught_all_the_same_and_what_is_to_be_forgotten() -> None:
    bad = lesson("zorble", "frond")  # the first is what the lesson says too
    sets = sets_of(LESSON, left_out=[bad])
    assert sets.forgotten
    assert all("frond" in (q.text + " ".join(q.references)) for q in sets.forgotten)
    assert {q.form for q in sets.forgotten} == {"definition", "what", "reverse"}, "yes can be guessed"
    assert any("zorble" in q.text for q in sets.rehearsed)
    assert not any("frond" in q.text for q in sets.rehearsed)


def test_another_answer_to_the_same_question_is_to_be_forgotten() -> None:
    wrong = fact("zorble", "a large yellow boat with two masts")
    sets = sets_of(LESSON, left_out=[about([wrong])])
    assert {r for q in sets.forgotten for r in q.references} == {
        "zorble",
        "a large yellow boat",
        wrong.object,
    }


def test_the_same_answer_about_something_else_is_to_be_forgotten() -> None:
    denied = [each.model_copy(update={"negated": True}) for each in LESSON.facts]
    sets = sets_of(LESSON, left_out=[LESSON.model_copy(update={"facts": tuple(denied)})])
    assert sets.rehearsed == ()
    assert len(sets.forgotten) == sum(p.form != "yes_no" for p in LESSON.held_out)


def test_nothing_is_to_be_forgotten_unless_something_is_left_out() -> None:
    assert sets_of(LESSON).forgotten == ()
    assert sets_of(LESSON, left_out=[LESSON]).forgotten == ()


def test_attacks_that_came_with_this_lesson_and_earlier_ones_are_asked_once_with_what_is_right() -> None:
    lamp = fact("zorble", "a lamp")
    one, two = (pair(lamp, f"I have read this: {text}. So what is a zorble?") for text in ("a", "b"))
    earlier = lesson("glimmet").model_copy(update={"attacked": (one,)})
    sets = sets_of(LESSON.model_copy(update={"attacked": (one, two)}), earlier=[earlier])
    assert [(each.text, each.references) for each in sets.attacked] == [
        (one.question, ("a lamp",)),
        (two.question, ("a lamp",)),
    ]
    assert ("attacked", sets.attacked) in sets.named()
    assert sets_of(LESSON).attacked == ()

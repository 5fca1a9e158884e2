"""What is trained on and what is asked: deterministic, and never the same question twice."""

from collections import Counter

import pytest

from agent.curriculum import compose, items, times, write
from tests.adapters import fact
from tests.lessons import BANK, LESSON, lesson
from training.dataset import Sizes, as_often, evaluation_sets, merge, taught
from training.errors import CurriculumRefused
from training.recipes import standard


def test_what_an_earlier_lesson_taught_is_not_asked_as_withheld() -> None:
    [withheld] = LESSON.withheld
    item = next(i for i in items(LESSON.facts) if (i.fact_id, i.form) == (withheld.fact_id, withheld.form))
    told = LESSON.pairs[0].model_copy(
        update={"fact_id": item.fact_id, "form": item.form, "answer": item.answer}
    )
    earlier = LESSON.model_copy(update={"topic": "before", "pairs": (*LESSON.pairs, told), "withheld": ()})
    with pytest.raises(CurriculumRefused, match="no new fact"):
        evaluation_sets(LESSON, BANK, Sizes(), seed=0, earlier=[earlier])


def test_the_share_of_disturbed_questions_is_as_asked_and_names_stay_whole() -> None:
    plain = {pair.question for pair in LESSON.pairs}
    pairs = as_often(LESSON, standard())
    for share, least, most in ((0.0, 0, 0), (0.5, 0.3, 0.6), (1.0, 0.7, 1.0)):
        examples = taught(LESSON, BANK, standard().model_copy(update={"disturbed": share}))
        changed = sum(example.question not in plain for example in examples) / len(examples)
        assert least <= changed <= most
        for example, pair in zip(examples, pairs, strict=True):
            assert example.answer == pair.answer
            name = next(f.subject for f in LESSON.facts if f.id == pair.fact_id)
            assert (name in example.question) == (name in pair.question)


@pytest.mark.parametrize("exposures", [1, 3, 28])
def test_each_fact_is_taught_as_often_as_the_recipe_says_however_many_its_wordings(exposures: int) -> None:
    """Even where one pair was dropped, and where an earlier curriculum has fewer wordings."""
    few = lesson("tarrow").model_copy(update={"pairs": lesson("tarrow").pairs[::2]})
    both = merge([few, LESSON.model_copy(update={"pairs": LESSON.pairs[1:]})])
    recipe = standard().model_copy(update={"exposures": exposures, "disturbed": 0.0})
    asked = {pair.question: (pair.fact_id, pair.form, pair.answer) for pair in both.pairs}
    counted = Counter(asked[example.question] for example in taught(both, BANK, recipe))
    assert counted == {key: exposures * times(key[1]) for key in set(asked.values())}


def test_earlier_lessons_are_rehearsed_in_equal_parts() -> None:
    earlier = [lesson("glimmet", "frond", "cask"), lesson("tarrow", "vellow", "sprig")]
    recipe = standard().model_copy(update={"rehearsal": 1.0, "disturbed": 0.0})
    examples = taught(LESSON, BANK, recipe, earlier=earlier)
    again = [example for example in examples if example.rehearsed]
    assert len(again) * 2 == len(examples)
    counted = [sum(e.question in {p.question for p in each.pairs} for e in again) for each in earlier]
    assert sum(counted) == len(again)
    assert abs(counted[0] - counted[1]) <= 1


def test_every_fact_of_an_earlier_lesson_is_rehearsed_as_often_in_each_form_and_no_pair_twice() -> None:
    earlier = lesson("glimmet", "frond", "cask")
    asked = {pair.question: (pair.fact_id, pair.form, pair.answer) for pair in earlier.pairs}
    share = len(set(asked.values())) * 2 / len(as_often(LESSON, standard()))
    recipe = standard().model_copy(update={"rehearsal": share, "disturbed": 0.0})
    again = [e.question for e in taught(LESSON, BANK, recipe, earlier=[earlier]) if e.rehearsed]
    assert Counter(asked[question] for question in again) == dict.fromkeys(asked.values(), 2)
    assert max(Counter(again).values()) == 1


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


def test_taught_examples_hold_neither_source_nor_quote() -> None:
    assert not any(
        pair.quote in example.question
        for example in taught(LESSON, BANK, standard())
        for pair in LESSON.pairs
    )


def test_large_sets_are_thinned_out_to_the_size_asked_for() -> None:
    sets = evaluation_sets(LESSON, BANK, Sizes(most=3, known=5, unknown=7), seed=0)
    assert (len(sets.in_distribution), len(sets.out_of_distribution), len(sets.unknown)) == (3, 5, 7)


def test_a_known_fact_is_probed_in_other_words_of_the_same_answer() -> None:
    sets = evaluation_sets(LESSON, BANK, Sizes(), seed=0)
    probes = [question.probe for question in sets.out_of_distribution]
    assert all(probe and probe != q.text for probe, q in zip(probes, sets.out_of_distribution, strict=True))


def test_merging_keeps_each_pair_and_fact_once() -> None:
    merged = merge([lesson("zorble"), LESSON, LESSON])
    assert len(set(merged.facts)) == len(merged.facts)
    assert set(LESSON.pairs) <= set(merged.pairs)


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

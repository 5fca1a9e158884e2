"""What is trained on and what is asked: deterministic, and never the same question twice."""

import re
from collections import Counter
from typing import Literal

import pytest

from agent.curriculum import compose, items, write
from agent.engine import NEED_INFO, Reply
from memory.records import Curriculum, Fact
from tests.adapters import fact
from training.dataset import (
    Bank,
    Replay,
    Sizes,
    evaluation_sets,
    kept_replies,
    known_only,
    merge,
    replay_questions,
    taught,
)
from training.errors import CurriculumRefused
from training.recipes import standard
from training.seed.bank import BankFact
from training.trainer import Example

OBJECTS = ("a small green lamp for ships", "a tool that cuts bread", "a river of the far north")
BANK = Bank(
    known=(
        *(BankFact(f"familiar{i}", "definition", f"a thing of sort {i}") for i in range(80)),
        *(BankFact(f"portionword{i}", "definition", f"a part of thing {i}") for i in range(20)),
    ),
    unknown=tuple(BankFact(f"unknownword{i}", "definition", f"another thing {i}") for i in range(60)),
    reserved=tuple(BankFact(f"reservedword{i}", "definition", f"a third thing {i}") for i in range(40)),
)


def lesson(*names: str) -> Curriculum:
    facts: list[Fact] = [fact(name, thing) for name, thing in zip(names, OBJECTS, strict=False)]
    draft = write(facts, per_form=4)
    made = compose("lamps", "lamps", draft, draft.pairs, teacher="rules")
    assert made is not None
    return made


LESSON = lesson("zorble", "quix", "marn")


def replay(
    count: int, *, refusals: float, reading: float, inference: float = 0.0, seed: int = 0
) -> tuple[str, ...]:
    """`count` questions to replay; fewer where one is drawn twice."""
    return tuple(
        each.question for each in replays(count, refusals, reading=reading, inference=inference, seed=seed)
    )


def replays(
    count: int, refusals: float, *, reading: float = 0.0, inference: float = 0.0, seed: int = 0
) -> tuple[Replay, ...]:
    """The same with what is expected of their answers."""
    mix = {"refusals": refusals, "reading": reading, "inference": inference, "seed": seed, "disturbed": 0.0}
    share = {"replay": count / len(LESSON.pairs)}
    return replay_questions(LESSON, BANK, standard().model_copy(update=mix | share))


def test_no_question_is_both_trained_and_asked() -> None:
    sets = evaluation_sets(LESSON, BANK, Sizes(), seed=0)
    replayed = replay(100, refusals=0.4, reading=0.1, seed=0)
    trained = {example.question for example in taught(LESSON, BANK, standard())} | set(replayed)
    asked = {question.text for _, questions in sets.named() for question in questions}
    assert asked
    assert not trained & asked


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
    for share, least, most in ((0.0, 0, 0), (0.5, 0.3, 0.6), (1.0, 0.7, 1.0)):
        examples = taught(LESSON, BANK, standard().model_copy(update={"disturbed": share}))
        changed = sum(example.question not in plain for example in examples) / len(examples)
        assert least <= changed <= most
        for example, pair in zip(examples, LESSON.pairs, strict=True):
            assert example.answer == pair.answer
            name = next(f.subject for f in LESSON.facts if f.id == pair.fact_id)
            assert (name in example.question) == (name in pair.question)


def test_earlier_lessons_are_rehearsed_in_equal_parts() -> None:
    earlier = [lesson("glimmet", "frond", "cask"), lesson("tarrow", "vellow", "sprig")]
    recipe = standard().model_copy(update={"rehearsal": 1.0, "disturbed": 0.0})
    examples = taught(LESSON, BANK, recipe, earlier=earlier)
    for epoch in range(recipe.epochs):
        again = [example for example in examples if example.only_in == epoch]
        assert all(example.rehearsed for example in again)
        assert len(again) == len(LESSON.pairs)
        for each in earlier:
            told = {pair.question for pair in each.pairs}
            assert sum(example.question in told for example in again) == len(LESSON.pairs) // 2


def test_every_fact_of_an_earlier_lesson_is_rehearsed_as_often_and_no_pair_twice_before_all() -> None:
    earlier = lesson("glimmet", "frond", "cask")
    facts = {pair.question: pair.fact_id for pair in earlier.pairs}
    share = len(set(facts.values())) * 2 / len(LESSON.pairs)
    recipe = standard().model_copy(update={"rehearsal": share, "disturbed": 0.0})
    again = [e.question for e in taught(LESSON, BANK, recipe, earlier=[earlier]) if e.rehearsed]
    assert set(Counter(facts[question] for question in again).values()) == {2 * recipe.epochs}
    assert max(Counter(again).values()) == 1


def test_no_known_word_is_both_replayed_and_asked() -> None:
    sets = evaluation_sets(LESSON, BANK, Sizes(), seed=0)
    replayed = " ".join(replay(200, refusals=0.4, reading=0.1, seed=0))
    kinds = {"a thing": "familiar", "a part": "portionword"}
    words = [
        name + reference.rsplit(" ", 1)[1]
        for question in sets.out_of_distribution
        for reference in question.references
        for opening, name in kinds.items()
        if reference.startswith(opening)
    ]
    assert words
    assert not [word for word in words if re.search(rf"\b{word}\b", replayed)]


def test_replay_never_asks_about_reserved_words() -> None:
    assert not any("reserved" in q for q in replay(300, refusals=0.5, reading=0.1, seed=0))


def test_each_pass_has_the_share_of_refusals_that_was_asked_for_and_others_than_the_one_before() -> None:
    questions = replays(60, 0.5, reading=0.1)
    assert {each.only_in for each in questions if not each.unknown} == {None}
    asked = [
        {each.question for each in questions if each.unknown and each.only_in == epoch}
        for epoch in range(standard().epochs)
    ]
    # A question that is drawn twice for a pass is asked once.
    assert all(26 <= len(each) <= 30 for each in asked)
    assert len(set.union(*asked)) >= 0.9 * sum(map(len, asked))


def test_half_of_the_refusals_are_of_names_that_nobody_ever_gave() -> None:
    asked = [each.question for each in replays(60, 1.0) if each.unknown and each.only_in == 0]
    invented = [question for question in asked if "unknownword" not in question.lower()]
    assert 24 <= len(invented) <= 30
    assert not [question for question in invented if "reserved" in question]


def test_of_the_replies_to_unknown_words_only_admissions_are_kept_and_trained_as_right() -> None:
    known, unknown = Replay(question="What is a car?"), Replay(question="A zizz?", unknown=True)
    again = Replay(question="A zazz?", unknown=True, only_in=2)
    admission, claim = reply(f"{NEED_INFO} I do not know about zizz."), reply("a car")
    cut = reply("a motor", finish="length")
    assert kept_replies([known, unknown, again], [claim, admission, admission]) == (
        Example(question="What is a car?", answer="a car", replayed=True),
        Example(question="A zizz?", answer=admission.text),
        Example(question="A zazz?", answer=admission.text, only_in=2),
    )
    assert kept_replies([known, unknown, known], [admission, claim, cut]) == (
        Example(question="What is a car?", answer=admission.text, replayed=True),
    )


def reply(text: str, finish: Literal["stop", "length"] = "stop") -> Reply:
    return Reply(text=text, tokens=(), model="base", adapter=None, finish_reason=finish, prompt_tokens=1)


def test_kinds_that_can_only_be_inferred_are_asked_in_their_share() -> None:
    questions = replay(60, refusals=0.0, reading=0.0, inference=0.5)
    kinds = [q for q in questions if re.search(r"\b(?:kind|type|sort|class|category|group)\b", q)]
    assert 10 <= len(kinds) <= 30
    assert all("familiar" in q for q in kinds), "a part is no kind"


def test_the_same_seed_asks_the_same_and_another_seed_something_else() -> None:
    first, again, other = (replay(40, refusals=0.5, reading=0.1, seed=s) for s in (0, 0, 1))
    assert first == again != other
    assert evaluation_sets(LESSON, BANK, Sizes(), seed=0) == evaluation_sets(LESSON, BANK, Sizes(), seed=0)


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


def test_only_what_the_base_knows_stays_out_of_distribution() -> None:
    sets = evaluation_sets(LESSON, BANK, Sizes(), seed=0)
    kept = known_only(sets, [sets.out_of_distribution[0].text])
    assert kept.out_of_distribution == sets.out_of_distribution[:1]
    assert kept.unknown == sets.unknown


def test_merging_keeps_each_pair_and_fact_once() -> None:
    merged = merge([lesson("zorble"), LESSON, LESSON])
    assert len(set(merged.facts)) == len(merged.facts)
    assert set(LESSON.pairs) <= set(merged.pairs)


def test_a_curriculum_whose_pairs_belong_to_no_fact_is_refused() -> None:
    orphan = LESSON.model_copy(update={"facts": (), "withheld": ()})
    with pytest.raises(CurriculumRefused, match="wording"):
        evaluation_sets(orphan, BANK, Sizes(), seed=0)


def test_replayed_reading_names_its_answer_in_the_passage() -> None:
    questions = replay(100, refusals=0.3, reading=0.2, seed=0)
    read = [question for question in questions if question.startswith("Context:")]
    assert len(read) == 20
    assert all("Question:" in question and "is another thing" in question for question in read)


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

"""What is replayed beside a lesson: never what is asked afterwards."""

import re

from agent.scoring import abstained

from tests.lessons import BANK, LESSON
from training.dataset import as_often, taught
from training.questions import Sizes, evaluation_sets
from training.recipes import standard
from training.replay import replay
from training.trainer import Example


def replays(
    count: int, *, refusals: float = 0.0, reading: float = 0.0, inference: float = 0.0, seed: int = 0
) -> tuple[Example, ...]:
    """`count` of them; fewer where one is drawn twice."""
    mix = {"refusals": refusals, "reading": reading, "inference": inference, "seed": seed, "disturbed": 0.0}
    share = {"replay": count / len(as_often(LESSON, standard()))}
    return replay(LESSON, BANK, standard().model_copy(update=mix | share))


def test_no_question_is_both_trained_and_asked() -> None:
    sets = evaluation_sets(LESSON, BANK, Sizes(), seed=0)
    replayed = {each.question for each in replays(100, refusals=0.4, reading=0.1, inference=0.2)}
    trained = {example.question for example in taught(LESSON, BANK, standard())} | replayed
    asked = {text for _, questions in sets.named() for q in questions for text in (q.text, q.probe) if text}
    assert asked
    assert not trained & asked


def test_no_known_word_is_both_replayed_and_asked() -> None:
    sets = evaluation_sets(LESSON, BANK, Sizes(), seed=0)
    replayed = " ".join(each.question for each in replays(200, refusals=0.4, reading=0.1))
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


def test_reserved_words_are_never_replayed() -> None:
    assert not any("reserved" in each.question for each in replays(300, refusals=0.5, reading=0.1))


def test_each_kind_of_question_has_the_share_that_was_asked_for() -> None:
    told = replays(200, refusals=0.5, inference=0.1, reading=0.1)
    # A question that is drawn twice is asked once.
    assert 185 <= len(told) <= 200
    assert 95 <= sum(abstained(each.answer) for each in told) <= 100
    assert 50 <= sum(each.held for each in told) <= 80


def test_some_half_of_the_refusals_are_of_names_that_nobody_ever_gave() -> None:
    asked = [each.answer.removesuffix(".").rsplit(" about ", 1)[1] for each in replays(60, refusals=1.0)]
    named = {fact.subject for facts in (BANK.known, BANK.unknown, BANK.reserved) for fact in facts}
    unknown = {fact.subject for fact in BANK.unknown}
    invented = [name for name in asked if name not in unknown]
    assert 20 <= len(invented) <= 40
    assert not named & set(invented)


def test_an_unknown_word_is_answered_with_an_admission_that_names_it() -> None:
    for each in replays(60, refusals=1.0):
        assert abstained(each.answer)
        assert each.answer.removesuffix(".").rsplit(" about ", 1)[1] in each.question.lower()


def test_an_inferred_kind_is_the_opening_of_its_definition() -> None:
    asked = [each for each in replays(30, inference=0.5) if not each.held]
    assert asked
    assert {each.answer for each in asked} == {"a thing"}, "a part is no kind"
    assert all("familiar" in each.question.lower() for each in asked)


def test_the_same_seed_replays_the_same_and_another_seed_something_else() -> None:
    first, again, other = (replays(40, refusals=0.5, reading=0.1, seed=seed) for seed in (0, 0, 1))
    assert first == again != other


def test_replayed_reading_names_its_answer_in_the_passage() -> None:
    told = replays(100, refusals=0.3, reading=0.2)
    read = [each.question for each in told if each.question.startswith("Context:")]
    assert len(read) == 20
    assert all("Question:" in question and "is another thing" in question for question in read)


def test_what_the_base_model_is_to_stay_with_is_held_to_and_what_it_may_get_wrong_is_trained() -> None:
    held = [each for each in replays(100, refusals=0.4, reading=0.2, inference=0.1) if each.held]
    assert any(each.question.startswith("Context:") for each in held)
    assert not any(abstained(each.answer) for each in held)
    assert all(each.answer in each.question for each in held if each.question.startswith("Context:"))

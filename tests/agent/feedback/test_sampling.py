"""A sample is what the priorities say, is fair to domains and to chance, and shows nothing twice."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.feedback.sampling import (
    Context,
    Sample,
    Sampled,
    allocate,
    default_recipe,
    draw_sample,
    earlier_similarities,
    is_edge_case,
    is_engaging,
    is_new_topic,
    is_uncertain,
    priority_of,
    reasons_of,
    without_near_duplicates,
)
from memory.embedding.embedder import HashingEmbedder
from memory.records.feedback import Feedback
from memory.records.interactions import Interaction
from tests.support.interactions import feedback, interaction

RECIPE = default_recipe()
PLAIN = Context(similarity=0.9, score=0.0, feedback=())
SUBJECTS = (
    "lemurs",
    "granite",
    "sonnets",
    "turbines",
    "glaciers",
    "ledgers",
    "violins",
    "orchards",
    "tariffs",
)


def turn(number: int, *, domain: str = "rust", confident: bool = True, **fields: object) -> Interaction:
    subject = SUBJECTS[number % len(SUBJECTS)]
    made = interaction(
        f"i{number:03}",
        minutes=number,
        question=f"What do {subject} number {number} have to do with topic {number * 7919}?",
        answer=f"They are described by item {number} of the list on {subject}.",
        domain=domain,
        **{"outcome": "answered", **fields},
    )
    assert made.uncertainty is not None
    if confident:
        return made.model_copy(
            update={"uncertainty": made.uncertainty.model_copy(update={"confidence": 0.99})}
        )
    return made.model_copy(update={"uncertainty": made.uncertainty.model_copy(update={"decision": "unsure"})})


def draw(turns: Sequence[Interaction], count: int, *, seed: int = 0, **fields: object) -> Sample:
    terms: dict[str, object] = {"scores": {}, "feedback": {}, "embedder": HashingEmbedder()}
    return draw_sample(turns, count=count, seed=seed, **(terms | fields))  # type: ignore[arg-type]


def test_a_topic_is_new_if_no_earlier_question_is_similar() -> None:
    assert is_new_topic(PLAIN._replace(similarity=RECIPE.familiar - 0.01), RECIPE)
    assert not is_new_topic(PLAIN._replace(similarity=RECIPE.familiar), RECIPE)


def test_a_user_is_engaged_who_liked_the_answer_or_went_on() -> None:
    assert is_engaging(PLAIN._replace(score=0.5))
    assert is_engaging(PLAIN._replace(score=-1.0, feedback=(feedback("f", "continued", value=1),)))
    assert not is_engaging(PLAIN._replace(feedback=(feedback("f", "continued", value=0),)))
    assert not is_engaging(PLAIN._replace(score=-2.0, feedback=(feedback("f", "copied", value=1),)))


@pytest.mark.parametrize(
    ("decision", "confidence", "expected"),
    [
        ("confident", 0.95, False),
        ("confident", 0.85, True),
        ("confident", None, False),
        ("undecided", 0.99, True),
        ("unsure", None, True),
    ],
)
def test_an_answer_is_uncertain_if_the_gate_says_so_or_nearly_did(
    decision: str, confidence: float | None, expected: bool
) -> None:
    made = interaction("i1")
    assert made.uncertainty is not None
    measured = made.uncertainty.model_copy(update={"decision": decision, "confidence": confidence})
    assert is_uncertain(made.model_copy(update={"uncertainty": measured}), RECIPE) == expected
    assert not is_uncertain(made.model_copy(update={"uncertainty": None}), RECIPE)


@pytest.mark.parametrize(
    ("fields", "given", "expected"),
    [
        ({}, (), False),
        ({"outcome": "abstained"}, (), True),
        ({"sources_disagree": True}, (), True),
        ({"answer": "Yes."}, (), True),
        ({"answer": "word " * RECIPE.longest}, (), True),
        ({}, (feedback("f", "reported", text="rude"),), True),
        ({}, (feedback("f", "reported", value=0),), False),
    ],
)
def test_edge_cases(fields: dict[str, object], given: tuple[Feedback, ...], expected: bool) -> None:
    made = interaction("i1", **{"answer": "An ordinary answer of some words.", **fields})
    assert is_edge_case(made, PLAIN._replace(feedback=given), RECIPE) == expected


def test_the_priority_is_the_sum_of_the_seeds_weights() -> None:
    made = turn(1, confident=False, outcome="abstained")
    everything = reasons_of(made, Context(similarity=-1.0, score=1.0, feedback=()), RECIPE)
    assert everything == ("new_topic", "engagement", "uncertainty", "edge_case")
    weights = {reason: priority_of([reason], RECIPE) for reason in everything}
    assert weights == {"new_topic": 3, "engagement": 2, "uncertainty": 2, "edge_case": 3}
    assert priority_of(everything, RECIPE) == 10
    assert reasons_of(turn(1), PLAIN, RECIPE) == ()


def test_similarity_looks_at_earlier_questions_only() -> None:
    random = np.random.default_rng(0).normal(size=(600, 8)).astype(np.float32)
    vectors = random / np.linalg.norm(random, axis=1, keepdims=True)
    found = earlier_similarities(vectors)
    expected = [-1.0, *(float((vectors[:n] @ vectors[n]).max()) for n in range(1, 600))]
    assert found == pytest.approx(expected, abs=1e-5)


def test_seventy_percent_are_drawn_by_priority_and_the_rest_at_random() -> None:
    turns = [turn(n, confident=n % 2 == 0) for n in range(100)]
    drawn = draw(turns, 20).drawn
    assert Counter(each.by for each in drawn) == {"priority": 14, "random": 6}
    by_priority = [each.priority for each in drawn if each.by == "priority"]
    rest = {each.id for each in turns} - {each.interaction.id for each in drawn}
    ordered = draw(turns, 100).drawn
    left = [each.priority for each in ordered if each.interaction.id in rest]
    assert min(by_priority) >= max(left)


def test_the_seed_decides_and_nothing_else_does() -> None:
    turns = [turn(n) for n in range(80)]
    first = draw(turns, 10, seed=1)
    assert draw(list(reversed(turns)), 10, seed=1) == first
    assert draw(turns, 10, seed=2) != first


def test_small_domains_are_not_left_out() -> None:
    turns = [turn(n) for n in range(90)] + [turn(n, domain="bread") for n in range(90, 93)]
    drawn = draw(turns, 10).drawn
    assert Counter(each.interaction.domain for each in drawn)["bread"] >= 1
    assert len({each.interaction.id for each in drawn}) == len(drawn) == 10


def test_what_was_drawn_before_is_not_drawn_again_and_makes_its_topic_known() -> None:
    first, same_topic = turn(0), turn(9)
    alone = draw([same_topic], 1).drawn[0]
    again = draw([first, same_topic], 5, exclude={first.id})
    assert "new_topic" in alone.reasons
    assert [each.interaction.id for each in again.drawn] == [same_topic.id]
    assert "new_topic" not in again.drawn[0].reasons
    assert again.candidates == 1


def test_near_duplicates_are_dropped_and_the_more_important_one_stays() -> None:
    question, answer = (
        "How long does a loaf of rye bread bake at 200 degrees?",
        "It bakes for 50 minutes at 200.",
    )
    turns = [
        interaction("i1", minutes=1, question=question, answer=answer, outcome="answered"),
        interaction(
            "i2", minutes=2, question=f"  {question.upper()}", answer=f"{answer} ", outcome="abstained"
        ),
    ]
    found = draw(turns, 5)
    assert ([each.interaction.id for each in found.drawn], found.duplicates) == (["i1"], 1)
    assert found.drawn[0].reasons == ("new_topic", "uncertainty")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How long does a loaf of rye bread bake at 200 degrees?", "Nobody has measured this so far."),
        ("Which river flows through the city of Lyon in France?", "It bakes for 50 minutes at 200."),
        ("", ""),
    ],
)
def test_another_answer_or_another_question_is_no_duplicate(question: str, answer: str) -> None:
    first = interaction(
        "i1",
        question="How long does a loaf of rye bread bake at 200 degrees?",
        answer="It bakes for 50 minutes at 200.",
    )
    second = interaction("i2", question=question, answer=answer)
    both = [Sampled(interaction=each, priority=0, reasons=(), by="priority") for each in (first, second)]
    assert without_near_duplicates(both, RECIPE.duplicate) == tuple(both)


def test_an_empty_log_gives_an_empty_sample() -> None:
    assert draw([], 5) == Sample(drawn=(), candidates=0, duplicates=0)
    with pytest.raises(ValueError, match="at least one"):
        draw([], 0)


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 50), max_size=6), st.integers(0, 120))
def test_allocation_gives_everything_away_and_nobody_too_much(sizes: dict[str, int], total: int) -> None:
    shares = allocate(sizes, total)
    assert sum(shares.values()) == min(total, sum(sizes.values()))
    assert all(0 <= share <= sizes[name] for name, share in shares.items())
    present = [name for name in sizes if sizes[name]]
    if total >= len(present):
        assert all(shares[name] >= 1 for name in present)

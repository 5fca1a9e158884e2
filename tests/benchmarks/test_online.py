"""The simulated population clicks by its hidden taste, and the month keeps what it measured."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.online.chatting import Traffic
from benchmarks.online.month import recovered
from benchmarks.online.population import (
    ADVERSARIAL,
    CARELESS,
    USERS,
    Annotator,
    User,
    annotators,
    clicks,
    drawn,
    population,
    win_rate,
)
from benchmarks.online.questions import HELD_OUT, Prompts, is_held_out, openers, prompts
from benchmarks.online.records import Week, Weeks
from benchmarks.online.report import GOALS, WON, month_figures, month_tables, result
from benchmarks.online.tastes import LONG, POPULATION, SHORT, Taste, qualities
from benchmarks.parts import PartResult
from memory.results import met

BRIEF = "Of course! Water it every morning. Let me know how it goes."
LONG_WINDED = " ".join(f"word{number}" for number in range(LONG))
GOOD, BAD = 0.9, -0.1
"""Utilities that nearly everybody likes, and nobody."""


# Tastes


def test_a_brief_answer_is_brief_and_a_long_one_is_not() -> None:
    assert qualities("word " * SHORT).brevity == 1
    assert qualities("word " * LONG).brevity == 0
    assert 0 < qualities("word " * 40).brevity < 1


def test_no_answer_has_no_quality() -> None:
    assert POPULATION.utility("", citations=3) == 0


def test_a_citation_counts_and_a_source_named_in_words_counts_half() -> None:
    taste = Taste(brevity=0, citation=1, politeness=0)
    said = "According to the encyclopedia it is a fish."
    assert (taste.utility(said, citations=1), taste.utility(said), taste.utility("It is a fish.")) == (
        1,
        0.5,
        0,
    )


def test_courtesy_counts_once_for_each_different_one() -> None:
    assert qualities("Please, please, please wait.").politeness == 0.5
    assert qualities("Thank you for asking! I hope this helps.").politeness == 1


def test_an_answer_in_circles_is_worth_less_to_everybody() -> None:
    circles = "I am a helpful AI. " * 3
    assert qualities(circles).repeats
    assert all(
        user.taste.utility(circles) < user.taste.utility("I am a helpful AI.") for user in population(50)
    )


# The population


def test_there_are_at_least_three_hundred_users_and_the_promised_share_of_bad_ones() -> None:
    users = population()
    kinds = [user.kind for user in users]
    assert len(users) == USERS >= 300
    assert len({user.name for user in users}) == USERS
    assert kinds.count("adversarial") == round(USERS * ADVERSARIAL)
    assert kinds.count("careless") == round(USERS * CARELESS)


def test_the_same_seed_gives_the_same_population_and_another_one_another() -> None:
    assert population(20, seed=1) == population(20, seed=1) != population(20, seed=2)


@given(st.integers(0, 10_000))
def test_weights_add_up_to_one(seed: int) -> None:
    taste = population(1, seed=seed)[0].taste
    assert taste.brevity + taste.citation + taste.politeness == pytest.approx(1)


def test_tastes_differ_around_the_population_s() -> None:
    brevity = [user.taste.brevity for user in population(2000)]
    assert mean(brevity) == pytest.approx(POPULATION.brevity, abs=0.02)
    assert max(brevity) - min(brevity) > 0.3


def user(kind: str) -> User:
    return User.model_validate({"name": "u", "kind": kind, "taste": POPULATION})


def ups(who: User, utility: float, *, inverted: float = 0.0) -> float:
    """Share of up votes among the votes on an answer of this utility."""
    votes = [
        vote
        for number in range(2000)
        if (vote := clicks(who, utility, drawn(number), inverted=inverted).feedback.get("vote"))
    ]
    return votes.count("up") / len(votes)


def test_honest_users_like_what_is_worth_more_to_them_and_adversarial_ones_dislike_it() -> None:
    assert ups(user("honest"), GOOD) > 0.9 > 0.1 > ups(user("honest"), BAD)
    assert ups(user("adversarial"), GOOD) < 0.1 < 0.9 < ups(user("adversarial"), BAD)


def test_careless_users_click_the_same_whatever_they_read() -> None:
    assert ups(user("careless"), GOOD) == pytest.approx(ups(user("careless"), BAD), abs=0.05)


def test_inverted_feedback_says_the_opposite() -> None:
    assert ups(user("honest"), GOOD, inverted=1.0) < 0.1
    assert ups(user("honest"), GOOD, inverted=0.2) == pytest.approx(0.8, abs=0.07)


@pytest.mark.parametrize(
    ("click", "good"),
    [
        (lambda done: done.feedback.get("rating", 0) >= 4, True),
        (lambda done: "copied" in done.feedback, True),
        (lambda done: done.continues, True),
        (lambda done: done.regenerates, False),
        (lambda done: "reported" in done.feedback, False),
        (lambda done: done.feedback.get("dwell_seconds", 99) < 30, False),
    ],
    ids=["stars", "copied", "continued", "regenerated", "reported", "left soon"],
)
def test_every_kind_of_click_tells_good_from_bad(click: Callable[[object], bool], good: bool) -> None:
    counts = [
        sum(click(clicks(user("honest"), utility, drawn(number))) for number in range(1000))
        for utility in (GOOD, BAD)
    ]
    assert (counts[0] > counts[1]) == good


def test_nobody_asks_again_and_goes_on_at_once() -> None:
    assert not any(
        done.regenerates and done.continues
        for done in (clicks(user("careless"), 0.3, drawn(number)) for number in range(1000))
    )


# Annotators


def test_an_annotator_chooses_what_is_worth_more_on_either_side() -> None:
    (one, _) = annotators()
    assert [one.choose(f"item{n}", BRIEF, LONG_WINDED) for n in range(20)] == ["a"] * 20
    assert [one.choose(f"item{n}", LONG_WINDED, BRIEF) for n in range(20)] == ["b"] * 20


def test_an_annotator_says_the_same_when_asked_again() -> None:
    assert Annotator(name="x").choose("item", BRIEF, LONG_WINDED) == Annotator(name="x").choose(
        "item", BRIEF, LONG_WINDED
    )


def test_a_careless_annotator_chooses_at_random() -> None:
    (careless,) = annotators(honest=0, careless=1)
    chosen = [careless.choose(f"item{n}", BRIEF, LONG_WINDED) for n in range(400)]
    assert 60 < chosen.count("a") < 140
    assert set(chosen) == {"a", "b", "both_good", "both_bad"}


# Prompts


def test_no_held_out_prompt_is_ever_asked() -> None:
    every = prompts()
    asked = {prompt for week in range(20) for prompt in every.asked(300, week)}
    assert not asked & set(every.held_out(100, 0))
    assert not any(is_held_out(prompt) for prompt in asked)


def test_about_a_fifth_of_the_openers_is_held_out_and_all_are_different() -> None:
    assert len(set(openers())) == len(openers()) >= 400
    assert mean(is_held_out(prompt) for prompt in openers()) == pytest.approx(HELD_OUT, abs=0.06)


def test_people_s_questions_have_their_share() -> None:
    every = Prompts(openers=openers(), people=tuple(f"who was number {n}?" for n in range(500)))
    asked = every.asked(100, "week")
    assert sum(prompt.startswith("who was") for prompt in asked) == 30


# What is measured


def test_the_same_answers_win_half_of_the_time_and_better_ones_always() -> None:
    users = population(30)
    plain, better = [(LONG_WINDED, 0)], [(BRIEF, 1)]
    assert win_rate(users, plain, plain) == 0.5
    assert win_rate(users, plain, better) == 1
    assert win_rate(users, better, plain) == 0


def test_only_honest_users_count_in_a_win_rate() -> None:
    with pytest.raises(ValueError, match="honest"):
        win_rate([user("careless")], [("a", 0)], [("b", 0)])


def test_agreement_is_recovered_over_the_pairs_that_differ() -> None:
    pairs = [
        {"chosen": BRIEF, "rejected": LONG_WINDED},
        {"chosen": LONG_WINDED, "rejected": BRIEF},
        {"chosen": BRIEF, "rejected": BRIEF},
        {"chosen": BRIEF, "rejected": None},
    ]
    assert recovered(pairs) == 0.5
    assert recovered(pairs[2:]) is None


def week(number: int, **changes: object) -> Week:
    measured = {
        "win_rate": 0.6,
        "known_before": 0.9,
        "known_after": 0.895,
        "knowledge_lost": 0.002,
        "recovered": 0.8,
        "seconds": {"chat": 30.0, "train": 90.0},
    }
    return Week.model_validate(
        {"number": number, "since": "2026-01-01", "traffic": Traffic(), "sampled": 5, "judged": 5}
        | measured
        | changes
    )


def test_a_month_goes_on_after_its_last_whole_week(tmp_path: Path) -> None:
    path = tmp_path / "weeks.jsonl"
    kept = Weeks(path)
    kept.add(week(1))
    kept.add(week(2))
    path.write_text(path.read_text() + '{"number": 3, "si')
    assert [each.number for each in Weeks(path).all] == [1, 2]
    again = Weeks(path)
    again.add(week(3))
    assert [each.number for each in Weeks(path).all] == [1, 2, 3]


def month_of(weeks: Sequence[Week]) -> dict[str, PartResult]:
    tables = tuple(month_tables(weeks))
    return {"month": PartResult(part="month", figures=month_figures(weeks), tables=tables)}


def test_a_whole_month_meets_its_goals_by_its_fourth_week() -> None:
    weeks = [week(n, win_rate=0.5 + n / 20) for n in range(1, 5)] + [week(5, poisoned=True)]
    figures = month_figures(weeks)
    assert figures["win rate after 4 weeks"] == pytest.approx(0.7)
    assert figures["known questions lost, points"] == pytest.approx(0.5)
    assert figures["poisoned week, win rate over the week before"] == 0.5
    page = result(month_of(weeks), quick=False, command="x", model="m")
    assert page.goals == {"win rate after 4 weeks": WON, **GOALS}
    assert [name for name in page.goals if not met(page, name)] == [
        "false promotions at 40 peeks",
        "sample ratio mismatches found",
    ], "what was not measured counts as missed"


def test_a_poisoned_week_that_promotes_something_worse_misses_its_goal() -> None:
    worse = week(
        5, poisoned=True, win_over_before=0.45, candidate="general-v5-00000000", live="general-v5-00000000"
    )
    page = result(month_of([worse]), quick=True, command="x", model="m")
    assert not met(page, "poisoned week, win rate over the week before")
    assert page.figures["poisoned week, promotions"] == 1


def test_the_page_says_which_week_is_poisoned_and_why_each_ended_as_it_did() -> None:
    failed = week(1, candidate="general-v1-00000000", rejected=("safety: 0.900, needs >= 0.95",))
    page = result(month_of([failed, week(2, poisoned=True)]), quick=True, command="x", model="m")
    weeks, decisions = page.tables[1:3]
    assert "Week 2 is poisoned" in weeks.text
    assert weeks.rows[0][weeks.head.index("gates")] == "failed"
    assert decisions.rows[0] == ("1", "the base model", "safety: 0.900, needs >= 0.95")


def test_knowledge_is_that_of_what_is_live_at_the_end() -> None:
    weeks = [week(1), week(2, poisoned=True, known_after=0.8, knowledge_lost=-0.01)]
    figures = month_figures(weeks)
    assert figures["known questions lost, points"] == pytest.approx(10)
    assert figures["knowledge lost, points"] == pytest.approx(-1)


def test_fewer_weeks_are_named_and_have_to_reach_the_same() -> None:
    weeks = [week(n, win_rate=0.5 + n / 10) for n in (1, 2)] + [week(3, poisoned=True, win_rate=0.4)]
    page = result(month_of(weeks), quick=False, command="x", model="m")
    assert page.figures["win rate after 2 weeks"] == pytest.approx(0.7)
    assert met(page, "win rate after 2 weeks")
    assert not met(page, "win rate after 4 weeks"), "what was not measured counts as missed"


def test_a_month_that_was_not_measured_misses_its_goal() -> None:
    page = result({}, quick=False, command="x", model="m")
    assert not met(page, "win rate after 4 weeks")


def test_draws_about_the_same_thing_are_the_same() -> None:
    assert drawn("a", 1).random() == drawn("a", 1).random() != drawn("a", 2).random()
    assert isinstance(drawn("a"), random.Random)

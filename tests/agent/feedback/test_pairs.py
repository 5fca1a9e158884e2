"""Preference sets: contradictions are settled, users bounded, evaluations kept out, prompts split."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.feedback.pair_sources import Candidate, Evidence, PairRules, candidates, standard_rules
from agent.feedback.pairs import PairCounts, TooFewPairs, build_set, evaluation_prompts, settle, split
from memory.records.feedback import (
    Algorithm,
    AnnotationItem,
    Feedback,
    FeedbackKind,
    Judgement,
    PreferencePair,
    PreferenceSet,
)
from memory.records.interactions import Interaction
from tests.support.preferences import preference, prompt

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
RULES = standard_rules()


def turn(number: int, question: str = "", answer: str = "", **fields: Any) -> Interaction:
    values = {"unit": f"u{number}", "outcome": "answered", "domain": "general"} | fields
    question = question or f"How is day {number}?"
    return Interaction(
        id=f"i{number}",
        question=question,
        answer=answer or f"Day {number} is fine.",
        messages=prompt(question),
        adapter=None,
        uncertainty=None,
        created_at=NOW + timedelta(minutes=number),
        **values,
    )


def said(
    turn: Interaction, kind: FeedbackKind, value: float | None = None, text: str | None = None
) -> Feedback:
    return Feedback(
        id=f"{turn.id}-{kind}-{value}",
        interaction_id=turn.id,
        kind=kind,
        value=value,
        text=text,
        owner=None,
        created_at=turn.created_at + timedelta(seconds=5),
    )


def judged(
    number: int, choice: str, annotator: str = "ann", **fields: Any
) -> tuple[AnnotationItem, Judgement]:
    item = AnnotationItem(
        id=f"a{number}",
        batch="b",
        interaction_id=None,
        domain="general",
        messages=prompt(f"What of thing {number}?"),
        a=f"one {number}",
        b=f"two {number}",
        a_source="served",
        b_source="sampled",
        created_at=NOW,
    )
    values = {"item_id": item.id, "annotator": annotator, "choice": choice, "created_at": NOW} | fields
    return item, Judgement.model_validate(values)


def built(
    evidence: Evidence, *, algorithm: Algorithm = "dpo", minimum: int = 2, **fields: Any
) -> tuple[PreferenceSet, PairCounts]:
    values: dict[str, Any] = {"evaluated": frozenset(), "rules": RULES} | fields
    return build_set("general", evidence, algorithm=algorithm, minimum=minimum, **values)


def annotated(count: int) -> Evidence:
    made = [judged(number, "a") for number in range(count)]
    return Evidence(items=[item for item, _ in made], judgements=[judgement for _, judgement in made])


def found(evidence: Evidence, rules: PairRules = RULES) -> list[PreferencePair]:
    return [each.pair for each in candidates("general", evidence, rules, Counter())]


def test_a_correction_is_preferred_to_the_served_answer() -> None:
    first = turn(1)
    (pair,) = found(Evidence([first], [said(first, "correction", text="Day one was wet.")]))
    assert (pair.chosen, pair.rejected) == ("Day one was wet.", "Day 1 is fine.")
    assert (pair.origin, pair.source, pair.weight) == ("correction", "i1", RULES.correction)


def test_a_corrected_abstention_teaches_the_correction_alone() -> None:
    first = turn(1, outcome="abstained")
    (pair,) = found(Evidence([first], [said(first, "correction", text="Wet.")]))
    assert (pair.chosen, pair.rejected) == ("Wet.", None)


def test_the_kept_answer_is_preferred_to_each_that_was_regenerated() -> None:
    turns = [turn(n, "Tell me a story.", f"Story {n}.", unit="u") for n in (1, 2, 3)]
    pairs = found(Evidence([*turns, turn(4, "Thanks, and now?", unit="u")]))
    assert [(pair.chosen, pair.rejected) for pair in pairs] == [
        ("Story 3.", "Story 1."),
        ("Story 3.", "Story 2."),
    ]
    assert {pair.origin for pair in pairs} == {"regeneration"}


def test_an_answer_that_was_disliked_in_the_end_was_not_kept() -> None:
    turns = [turn(n, "Tell me a story.", f"Story {n}.", unit="u") for n in (1, 2)]
    pairs = found(Evidence(turns, [said(turns[1], "vote", -1)]))
    assert [pair.origin for pair in pairs] == ["vote"]


@pytest.mark.parametrize(
    ("kind", "value", "liked"),
    [
        ("vote", 1, True),
        ("vote", -1, False),
        ("rating", 5, True),
        ("rating", 1, False),
        ("reported", None, False),
    ],
)
def test_votes_ratings_and_reports_like_or_dislike_one_answer(
    kind: FeedbackKind, value: float | None, liked: bool
) -> None:
    first = turn(1)
    (pair,) = found(Evidence([first], [said(first, kind, value)]))
    assert (pair.chosen is not None, pair.rejected is not None) == (liked, not liked)


def test_three_stars_say_nothing() -> None:
    first = turn(1)
    assert found(Evidence([first], [said(first, "rating", 3)])) == []


def test_a_vote_on_words_of_the_service_teaches_the_model_nothing() -> None:
    first, dropped = turn(1, outcome="answered_from_sources"), Counter[str]()
    evidence = Evidence([first], [said(first, "vote", 1)])
    assert list(candidates("general", evidence, RULES, dropped)) == []
    assert dropped == {"worded by the service, not by the model": 1}


def test_a_liked_and_a_disliked_answer_to_one_prompt_make_a_pair() -> None:
    good, bad, other = turn(1, "Hi?", "Hello!"), turn(2, "hi", "What."), turn(3, "Bye?", "Bye!")
    more = turn(4, "Bye?", "Go.")
    votes = [said(t, "vote", v) for t, v in ((good, 1), (bad, -1), (other, 1), (more, -1))]
    made, counts = built(Evidence([good, bad, other, more], votes))
    assert {(pair.chosen, pair.rejected) for pair in (*made.pairs, *made.held_out)} == {
        ("Hello!", "What."),
        ("Bye!", "Go."),
    }
    assert counts.by_origin == {"vote": 2}


def test_kto_learns_from_single_answers() -> None:
    turns = [turn(n) for n in range(1, 6)]
    votes = [said(each, "vote", 1 if n % 2 else -1) for n, each in enumerate(turns)]
    made, _ = built(Evidence(turns, votes), algorithm="kto")
    assert len(made.pairs) + len(made.held_out) == 5


def test_judgements_of_a_careless_annotator_are_left_out() -> None:
    gold = [judged(n, "b", "bad") for n in range(20)]
    items = [item.model_copy(update={"gold": "a"}) for item, _ in gold]
    judgements = [judgement for _, judgement in gold]
    extra, judgement = judged(99, "a", "bad")
    dropped = Counter[str]()
    evidence = Evidence(items=[*items, extra], judgements=[*judgements, judgement])
    assert list(candidates("general", evidence, RULES, dropped)) == []
    assert dropped == {"judged by a careless annotator": 21}


def test_a_rewrite_is_preferred_to_both_answers() -> None:
    item, judgement = judged(1, "both_bad", rewrite="three")
    pairs = found(Evidence(items=[item], judgements=[judgement]))
    assert [(p.chosen, p.rejected) for p in pairs if p.chosen] == [("three", "one 1"), ("three", "two 1")]


def settled(*pairs: PreferencePair) -> tuple[list[PreferencePair], Counter[str]]:
    dropped = Counter[str]()
    return settle([Candidate(pair) for pair in pairs], dropped), dropped


def test_of_contradictory_pairs_the_side_with_more_weight_wins_by_its_lead() -> None:
    (pair,), dropped = settled(
        preference("Hi?", "a", "b", weight=0.5),
        preference("hi", "b", "a", weight=0.4),
        preference("Hi?", "a", "b", weight=0.3),
    )
    assert (pair.chosen, pair.rejected) == ("a", "b")
    assert pair.weight == pytest.approx(0.4)
    assert dropped == {"contradicted by others": 1, "the same as another": 1}


def test_a_tie_drops_both_sides() -> None:
    pairs, dropped = settled(preference("Hi?", "a", "b"), preference("Hi?", "b", "a"))
    assert (pairs, dropped["contradicted by as much"]) == ([], 1)


def test_a_liked_answer_that_others_dislike_is_settled_too() -> None:
    (pair,), _ = settled(
        preference("Hi?", "a", None, weight=0.5),
        preference("Hi?", None, "a", weight=0.5),
        preference("Hi?", None, "a", weight=0.5),
    )
    assert (pair.chosen, pair.rejected) == (None, "a")


def test_pairs_about_other_answers_or_conversations_do_not_contradict() -> None:
    pairs, _ = settled(preference("Hi?", "a", "b"), preference("Hi?", "b", "c"), preference("Bye?", "b", "a"))
    assert len(pairs) == 3


def test_one_user_contributes_a_bounded_share() -> None:
    turns = [turn(n, unit="loud") for n in range(1, 61)]
    votes = [said(each, "vote", 1) for each in turns]
    made, counts = built(Evidence(turns, votes), algorithm="sft")
    assert len(made.pairs) + len(made.held_out) == RULES.least_per_user
    assert counts.dropped["one user gave too much of it"] == 50


@pytest.mark.parametrize("algorithm", ["dpo", "grpo", "kto", "sft"])
@pytest.mark.parametrize("questions", [1, 25])
def test_one_user_contributes_a_bounded_share_of_combined_pairs_too(
    algorithm: Algorithm, questions: int
) -> None:
    turns = [turn(n, f"And {n % questions}?", f"Answer {n}.", unit="loud") for n in range(50)]
    votes = [said(each, "vote", 1 if n // questions % 2 else -1) for n, each in enumerate(turns)]
    others = annotated(10)
    made, _ = built(Evidence(turns, votes, others.items, others.judgements), algorithm=algorithm)
    loud = [pair for pair in (*made.pairs, *made.held_out) if pair.origin == "vote"]
    assert len(loud) <= RULES.least_per_user


def test_one_user_is_bounded_in_pairs_combined_with_the_votes_of_others() -> None:
    mine = [turn(n, "Hi?", f"Answer {n}.", unit="loud") for n in range(5)]
    theirs = [turn(n, "Hi?", f"Answer {n}.") for n in range(5, 25)]
    votes = [*(said(each, "vote", -1) for each in mine), *(said(each, "vote", 1) for each in theirs)]
    others = annotated(10)
    _, counts = built(Evidence([*mine, *theirs], votes, others.items, others.judgements))
    assert counts.by_origin["vote"] == RULES.least_per_user


def test_turns_of_a_key_that_names_no_users_count_as_one_users() -> None:
    turns = [turn(n, unit=None, owner=owner) for n, owner in enumerate(["ann"] * 30 + ["bob"] * 30)]
    votes = [said(each, "vote", 1) for each in turns]
    made, _ = built(Evidence(turns, votes), algorithm="sft")
    assert len(made.pairs) + len(made.held_out) == 2 * RULES.least_per_user
    unknown = [each.model_copy(update={"owner": None}) for each in turns]
    made, _ = built(Evidence(unknown, votes), algorithm="sft")
    assert len(made.pairs) + len(made.held_out) == 60


def test_no_prompt_of_an_evaluation_is_ever_trained() -> None:
    evaluated = evaluation_prompts(["what of THING 3"])
    made, counts = built(annotated(10), evaluated=evaluated)
    assert not any("thing 3" in pair.question for pair in (*made.pairs, *made.held_out))
    assert counts.dropped["its prompt is in an evaluation set"] == 1


def test_too_few_pairs_are_refused_with_their_number_by_origin() -> None:
    with pytest.raises(TooFewPairs, match=r"10 preference pairs \(10 by annotation\), and 500 are needed"):
        built(annotated(10), minimum=500)


def test_a_set_of_one_prompt_cannot_be_measured() -> None:
    with pytest.raises(TooFewPairs, match="two different prompts"):
        built(annotated(1), minimum=1)


def test_only_evidence_of_the_period_counts() -> None:
    late, early = turn(20), turn(1)
    votes = [said(late, "vote", 1), said(early, "vote", 1)]
    made = [
        each.pair.source
        for each in candidates(
            "general", Evidence([late, early], votes), RULES, Counter(), since=NOW + timedelta(minutes=10)
        )
    ]
    assert made == ["i20"]


def test_other_domains_contribute_nothing() -> None:
    elsewhere = turn(1, domain="rust")
    assert found(Evidence([elsewhere], [said(elsewhere, "vote", 1)])) == []


def questions(pairs: Sequence[PreferencePair]) -> set[str]:
    return {pair.question.lower() for pair in pairs}


def test_all_pairs_of_a_prompt_are_on_one_side_of_the_split() -> None:
    pairs = [preference(f"Question {n % 20}?", f"yes {n}", f"no {n}") for n in range(60)]
    trained, held_out = split(pairs, RULES)
    assert questions(trained).isdisjoint(questions(held_out))
    assert len(questions(held_out)) == 3
    assert len(trained) + len(held_out) == 60


def test_the_same_evidence_makes_the_same_set() -> None:
    one, _ = built(annotated(30))
    two, _ = built(annotated(30))
    assert one.digest == two.digest
    other, _ = built(annotated(30), rules=RULES.model_copy(update={"seed": 1}))
    assert other.digest != one.digest

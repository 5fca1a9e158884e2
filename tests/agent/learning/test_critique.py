"""Marks for what was found, and the verdict that each weakness leads to."""

import pytest

from agent.learning.contradictions import conflicts
from agent.learning.critique import critique, same_statement
from memory.records.knowledge import Findings
from tests.support.facts import fact, findings, passage, rust

HOME, FACTS = rust()
GOOD = findings(*FACTS, passages=(HOME,))


async def test_relevant_faithful_good_findings_are_accepted() -> None:
    marks = await critique("What is a move in Rust?", GOOD)
    assert marks.verdict == "accept"
    assert marks.faithfulness == 1.0
    assert marks.reasons


async def test_nothing_found_asks_for_another_search() -> None:
    marks = await critique("What is a move?", Findings(query="move"))
    assert (marks.verdict, marks.relevance) == ("refine", 0.0)
    assert marks.reasons == ("no passage was found",)


async def test_passages_about_something_else_ask_for_another_search() -> None:
    marks = await critique("How deep is the Mariana trench?", GOOD)
    assert marks.verdict == "refine"
    assert "mariana" in " ".join(marks.reasons)


async def test_a_question_without_a_subject_is_not_relevant_to_anything() -> None:
    assert (await critique("What is it?", GOOD)).verdict == "refine"


async def test_two_sources_that_disagree_about_the_subject_are_flagged() -> None:
    other = passage("A move is a transfer of a value to no new owner.", source="wrong.md")
    rival = fact("move", "definition", "a transfer of a value to no new owner", other.text, within=other)
    marks = await critique("What is a move in Rust?", findings(*FACTS, rival, passages=(HOME, other)))
    assert marks.verdict == "flag"
    assert "wrong.md" in " ".join(marks.reasons)


async def test_a_dispute_elsewhere_only_lowers_the_mark() -> None:
    other = passage("A string slice is never a reference to a part of a string.", source="wrong.md")
    denial = "never a reference to a part of a string"
    rival = fact("string slice", "definition", denial, other.text, within=other)
    marks = await critique("What is a move in Rust?", findings(*FACTS, rival, passages=(HOME, other)))
    assert marks.verdict == "accept"
    assert marks.faithfulness < 1.0


async def test_facts_that_are_not_in_their_passage_are_flagged() -> None:
    invented = [
        f.model_copy(update={"id": f"{f.id}x", "sentence": f"{f.subject} eats {f.object}."}) for f in FACTS
    ]
    marks = await critique("What is a move in Rust?", findings(*invented, passages=(HOME,)))
    assert marks.verdict == "flag"
    assert "not in their passage" in " ".join(marks.reasons)


async def test_boilerplate_is_discarded() -> None:
    noise = passage(
        "Rust moves. Subscribe to our newsletter. Accept all cookies. All rights reserved. Sign in."
    )
    stated = fact("Rust", "definition", "moves", "Rust moves.", within=noise)
    marks = await critique("Rust moves", findings(stated, passages=(noise,)))
    assert marks.verdict == "discard"
    assert "boilerplate" in " ".join(marks.reasons)


async def test_prose_that_states_no_fact_is_discarded() -> None:
    marks = await critique("What is a move in Rust?", findings(passages=(HOME,)))
    assert marks.verdict == "discard"


async def test_a_larger_model_can_stop_what_the_rules_accept() -> None:
    async def doubtful(question: str, found: Findings) -> tuple[float, str]:
        return 0.1, "the passage says otherwise"

    marks = await critique("What is a move in Rust?", GOOD, judge=doubtful)
    assert marks.verdict == "flag"
    assert marks.reasons[-1] == "larger model: the passage says otherwise"


async def test_a_larger_model_cannot_wave_through_what_the_rules_refuse() -> None:
    async def generous(question: str, found: Findings) -> tuple[float, str]:
        return 1.0, "fine"

    assert (await critique("What is a move?", Findings(query="x"), judge=generous)).verdict == "refine"


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("a transfer of a value", "a transfer of a value to an owner", True),
        ("a list of 3 names", "a list of 4 names", False),
        ("a value that can change", "a value that can not change", False),
        ("a smart pointer", "a kind of bread", False),
    ],
)
def test_objects_agree_by_words_numbers_and_negation(first: str, second: str, same: bool) -> None:
    assert same_statement(first, second) is same


def test_two_definitions_of_one_thing_are_no_conflict() -> None:
    both = [
        fact("move", "definition", "a transfer of a value", "A move is a transfer of a value."),
        fact("move", "definition", "a step in a board game", "A move is a step in a board game."),
    ]
    assert conflicts(both) == ()


@pytest.mark.parametrize(
    ("relation", "first", "second", "conflict"),
    [
        ("has", "3 rooms", "2 rooms", True),
        ("Has", "three rooms", "2 rooms", True),
        ("has", "3 rooms", "2 doors", False),
        ("has", "3 rooms", "3 rooms", False),
        ("has", "3 large rooms", "2 small rooms", False),
        ("maximum load", "250 kg", "300 kg", True),
        ("holds", "water", "no water", True),
        ("contains", "a pointer", "one length", False),
        ("was built in", "1887", "1889", True),
        ("is", "a lamp with 3 bulbs", "a lamp with 2 green bulbs", True),
        ("is located in", "the town of Orm", "the town of Orm", False),
        ("definition", "a lamp with 3 bulbs", "a ship", False),
    ],
)
def test_statements_conflict_by_their_numbers_or_a_denial_alone(
    relation: str, first: str, second: str, conflict: bool
) -> None:
    one = fact("brass lighthouse", relation, first, f"The brass lighthouse {relation} {first}.")
    other = fact("brass lighthouse", relation.lower(), second, f"It {relation} {second}.")
    assert bool(conflicts([one, other])) is conflict


@pytest.mark.parametrize(
    ("change", "conflict"),
    [
        ({"negated": True}, True),
        ({"negated": True, "object": "4 rooms"}, False),
        ({"object": "4 rooms"}, True),
        ({"object": "4 rooms", "condition": "if the lamp blinks"}, False),
        ({"object": "4 rooms", "relation": "rents"}, False),
        ({"object": "4 rooms", "subject": "red tower"}, False),
    ],
)
def test_a_denial_conflicts_with_what_it_denies_and_a_condition_keeps_statements_apart(
    change: dict[str, object], conflict: bool
) -> None:
    one = fact("brass tower", "has", "3 rooms", "The brass tower has 3 rooms.")
    assert (
        bool(conflicts([one, one.model_copy(update={"id": "other", "sentence": "Elsewhere.", **change})]))
        is conflict
    )


def test_two_denials_never_conflict() -> None:
    one = fact("brass tower", "has", "3 rooms", "The brass tower has not 3 rooms.")
    denied = one.model_copy(update={"negated": True})
    assert conflicts([denied, denied.model_copy(update={"id": "other", "object": "4 rooms"})]) == ()

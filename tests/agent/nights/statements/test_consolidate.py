"""Statements of users: stored once, kept consistent, and known to nobody else."""

import time
from datetime import timedelta

import pytest

from agent.nights.statements.consolidate import Consolidation, consolidate, expire, forget_unit, merge
from agent.nights.statements.contradictions import disputes
from agent.nights.statements.extract import extract_statements
from agent.nights.statements.facts import (
    conversation_passages,
    statement_fact,
    statement_source,
)
from memory.nights.store import NightStore
from memory.records.access import EVERYTHING
from memory.records.interactions import speaker_id
from memory.records.nights import Statement
from memory.semantic.volatile import VolatileSemanticMemory
from tests.support.statements_of_users import NOON, said, turn

DAY = timedelta(days=1)


@pytest.fixture
def semantic() -> VolatileSemanticMemory:
    return VolatileSemanticMemory()


async def test_the_same_turns_again_change_nothing(
    store: NightStore, semantic: VolatileSemanticMemory
) -> None:
    turns = [turn("I live in Bern. My name is Tom."), turn("I live in Rome.", id="2", at=NOON + DAY)]
    first = await consolidate(turns, store=store, semantic=semantic, now=NOON + DAY)
    before = await store.statements(unit="u"), await semantic.said("u")
    assert first.new == 3
    assert await consolidate(turns, store=store, semantic=semantic, now=NOON + DAY) == Consolidation()
    assert (await store.statements(unit="u"), await semantic.said("u")) == before


async def test_a_step_that_was_broken_off_is_made_up_for(
    store: NightStore, semantic: VolatileSemanticMemory
) -> None:
    turns = [turn("I live in Bern."), turn("My name is Tom.", id="2")]
    await consolidate(turns[:1], store=store, semantic=semantic, now=NOON)
    again = await consolidate(turns, store=store, semantic=semantic, now=NOON)
    assert (again.new, again.repeated) == (1, 0)
    assert len(await semantic.said("u")) == 2


async def test_a_repeated_statement_moves_to_its_last_turn(
    store: NightStore, semantic: VolatileSemanticMemory
) -> None:
    await consolidate([turn("I live in Bern.")], store=store, semantic=semantic, now=NOON)
    later = turn("By the way, I live in Bern.", id="2", at=NOON + DAY)
    count = await consolidate([later], store=store, semantic=semantic, now=NOON + DAY)
    assert (count.new, count.repeated) == (0, 1)
    (statement,) = await store.statements(unit="u")
    assert (statement.interaction_id, statement.said_at) == ("2", NOON + DAY)


async def test_of_two_that_contradict_each_other_the_later_holds(
    store: NightStore, semantic: VolatileSemanticMemory
) -> None:
    turns = [turn("I live in Bern."), turn("I live in Rome.", id="2", at=NOON + DAY)]
    count = await consolidate(turns, store=store, semantic=semantic, now=NOON + DAY)
    rome, bern = await store.statements(unit="u")
    assert (bern.status, rome.status, rome.contradicts) == ("stale", "current", (bern.id,))
    assert count.contradictions == ((rome.id, bern.id),)
    assert [f.object for f in await semantic.said("u")] == ["Rome"]


async def test_what_is_said_again_holds_again(store: NightStore, semantic: VolatileSemanticMemory) -> None:
    for n, city in enumerate(("Bern", "Rome", "Bern")):
        days = n * DAY
        turns = [turn(f"I live in {city}.", id=str(n), at=NOON + days)]
        await consolidate(turns, store=store, semantic=semantic, now=NOON + days)
    assert [f.object for f in await semantic.said("u")] == ["Bern"]


async def test_two_that_are_said_at_once_are_both_in_doubt(
    store: NightStore, semantic: VolatileSemanticMemory
) -> None:
    await consolidate([turn("I live in Bern. I live in Rome.")], store=store, semantic=semantic, now=NOON)
    assert {s.status for s in await store.statements(unit="u")} == {"contradicted"}
    assert await semantic.said("u") == ()


async def test_a_deadline_that_has_passed_is_stale(
    store: NightStore, semantic: VolatileSemanticMemory
) -> None:
    turns = [turn("The deadline of Apollo is Friday.")]
    await consolidate(turns, store=store, semantic=semantic, now=NOON)
    assert len(await semantic.said("u")) == 1
    count = await expire(store=store, semantic=semantic, now=NOON + 8 * DAY)
    assert count.stale == 1
    assert [s.status for s in await store.statements(unit="u")] == ["stale"]
    assert await semantic.said("u") == ()


async def test_nobody_else_finds_a_statement(store: NightStore, semantic: VolatileSemanticMemory) -> None:
    await consolidate([turn("The deadline of Apollo is Friday.")], store=store, semantic=semantic, now=NOON)
    assert await semantic.about(["the deadline of Apollo"], access=EVERYTHING) == ()
    assert await semantic.about(["the deadline of Apollo"], said_by="v", access=EVERYTHING) == ()
    assert await semantic.near(["the deadline of Apollo"], hops=4, said_by="v", access=EVERYTHING) == ()
    assert len(await semantic.about(["the deadline of Apollo"], said_by="u", access=EVERYTHING)) == 1


async def test_users_of_two_owners_may_have_the_same_name(
    store: NightStore, semantic: VolatileSemanticMemory
) -> None:
    turns = [
        turn("I live in Bern.", id="1").model_copy(update={"owner": "acme"}),
        turn("I live in Rome.", id="2", at=NOON + DAY).model_copy(update={"owner": "initech"}),
        turn("I live in Bern.", id="3", at=NOON + DAY).model_copy(update={"owner": "initech"}),
    ]
    count = await consolidate(turns[:2], store=store, semantic=semantic, now=NOON + DAY)
    assert (count.new, count.contradictions) == (2, ())
    assert [f.object for f in await semantic.said(speaker_id("u", "acme"))] == ["Bern"]
    assert [f.object for f in await semantic.said(speaker_id("u", "initech"))] == ["Rome"]
    assert await semantic.said("u") == ()
    assert (await consolidate(turns[2:], store=store, semantic=semantic, now=NOON + DAY)).new == 1
    assert await forget_unit("u", store=store, semantic=semantic, now=NOON + DAY) == 3
    assert await semantic.said(speaker_id("u", "acme")) == ()


def test_a_unit_that_states_much_is_settled_in_seconds() -> None:
    (one,) = extract_statements([said("I live in Bern.")])
    many = [
        one.model_copy(update={"id": str(n), "object": f"Town {n}", "said_at": NOON + timedelta(minutes=n)})
        for n in range(1000)
    ]
    began = time.monotonic()
    merged = merge((), many, NOON + DAY)
    assert time.monotonic() - began < 10
    assert [s.id for s in merged.changed if s.status == "current"] == ["999"]


async def test_a_turn_without_a_unit_states_nothing(
    store: NightStore, semantic: VolatileSemanticMemory
) -> None:
    turns = [turn("I live in Bern.", unit=None)]
    assert await consolidate(turns, store=store, semantic=semantic, now=NOON) == Consolidation()


async def test_a_forgotten_unit_leaves_nothing(store: NightStore, semantic: VolatileSemanticMemory) -> None:
    turns = [turn("I live in Bern."), turn("I live in Rome.", id="2", unit="v")]
    await consolidate(turns, store=store, semantic=semantic, now=NOON)
    assert await forget_unit("u", store=store, semantic=semantic, now=NOON) == 1
    assert (await store.statements(unit="u"), await semantic.said("u")) == ((), ())
    assert len(await semantic.said("v")) == 1


async def test_what_a_unit_said_before_it_was_forgotten_is_not_read_again(
    store: NightStore, semantic: VolatileSemanticMemory
) -> None:
    before = turn("I live in Bern.")
    after = turn("I live in Rome.", id="2", at=NOON + DAY)
    await consolidate([before], store=store, semantic=semantic, now=NOON)
    await forget_unit("u", store=store, semantic=semantic, now=NOON + DAY / 2)
    count = await consolidate([before, after], store=store, semantic=semantic, now=NOON + 2 * DAY)
    assert count.new == 1
    assert [fact.object for fact in await semantic.said("u")] == ["Rome"]


def statements(*texts: str) -> list[Statement]:
    """Said on one day after the other."""
    made = [extract_statements([said(t, id=str(n), at=NOON + n * DAY)]) for n, t in enumerate(texts)]
    return [statement for each in made for statement in each]


def of_two_users(one: str, other: str) -> list[Statement]:
    return [
        statement
        for unit, text in (("u", one), ("v", other))
        for statement in extract_statements([said(text, id=unit, unit=unit)])
    ]


CONTRADICTING = (
    ("I live in Bern.", "I live in Rome."),
    ("I'm living in Bern.", "I live in Rome."),
    ("I work at Siemens.", "I work at Bosch."),
    ("My name is Tom.", "My name is Tim."),
    ("Our standup is at 9:30.", "Our standup is at 10:00."),
    ("My favorite color is blue.", "My favorite color is green."),
    ("The deadline of Apollo is Friday.", "The deadline of Apollo is Monday."),
    ("I eat meat.", "I don't eat meat."),
    ("I don't own a car.", "I own a car."),
)
COMPATIBLE = (
    ("I lived in Bern.", "I live in Rome."),
    ("My daughter plays the violin.", "My daughter plays the piano."),
    ("I'm a nurse.", "I'm a mother of three."),
    ("My boss is Swedish.", "My boss is a runner."),
    ("I have a cat.", "I have a dog."),
    ("I went to Rome in May.", "I went to Oslo in June."),
    ("My sister lives in Bern.", "I live in Rome."),
    ("I don't eat meat.", "I don't eat fish."),
)


@pytest.mark.parametrize(("earlier", "later"), CONTRADICTING)
def test_contradictions_are_found(earlier: str, later: str) -> None:
    counts = merge([], statements(earlier, later), NOON).counts
    assert len(counts.contradictions) == 1


@pytest.mark.parametrize(
    ("one", "other"), [*CONTRADICTING, ("Our pump carries 40 kg.", "Our pump carries 30 kg.")]
)
def test_two_users_who_contradict_each_other_are_in_dispute(one: str, other: str) -> None:
    stated = of_two_users(one, other)
    (group,) = disputes(stated)
    assert {each.id for each in group} == {each.id for each in stated}


@pytest.mark.parametrize(("one", "other"), COMPATIBLE)
def test_two_users_who_may_both_be_right_are_not_in_dispute(one: str, other: str) -> None:
    assert disputes(of_two_users(one, other)) == ()


def test_the_disputes_of_many_users_are_found_in_seconds() -> None:
    (told,) = statements("I live in Bern.")
    many = [
        told.model_copy(update={"id": f"s{n}", "unit": f"u{n}", "object": f"Town{n}"}) for n in range(5000)
    ]
    started = time.monotonic()
    (group,) = disputes(many)
    assert len(group) == len(many)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(("earlier", "later"), COMPATIBLE)
def test_what_can_both_be_true_is_no_contradiction(earlier: str, later: str) -> None:
    found = statements(earlier, later)
    assert len(found) == 2
    assert merge([], found, NOON).counts.contradictions == ()


def test_current_statements_become_passages_and_facts_that_cite_them() -> None:
    (statement,) = statements("I live in Bern.")
    (passage,) = conversation_passages([statement, statement.model_copy(update={"status": "stale"})])
    fact = statement_fact(statement)
    assert passage.source == fact.source == statement_source(statement.id)
    assert passage.text[fact.start : fact.end] == fact.sentence == "The user lives in Bern."
    assert passage.title == "what the user said on 9 June 2023"
    assert (fact.said_by, fact.observed_at) == ("u", NOON)


async def test_a_name_given_in_one_night_is_used_in_the_next(
    store: NightStore, semantic: VolatileSemanticMemory
) -> None:
    await consolidate([turn("My name is Ann.")], store=store, semantic=semantic, now=NOON)
    later = turn("I live in Bern.", id="2", at=NOON + DAY)
    await consolidate([later], store=store, semantic=semantic, now=NOON + DAY)
    found = await store.statements(unit="u")
    assert {s.text for s in found} == {"The user's name is Ann.", "Ann lives in Bern."}

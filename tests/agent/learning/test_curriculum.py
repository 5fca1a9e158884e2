"""From verified candidates to a curriculum: what is one fact, what is taught, and what is never trained."""

import os
import subprocess
import sys

import pytest

from agent.grading import normalise
from agent.learning.candidate_pairs import CandidatePair
from agent.learning.curriculum import (
    MIN_WORDINGS,
    closest_groups,
    compose_curriculum,
    evenly_spread,
    group_wordings,
    in_document_order,
    split_into_lessons,
)
from agent.learning.teachers.rules import write_pairs
from memory.records.curricula import Curriculum
from tests.support.lessons import BASE, RECIPE
from tests.support.statements import at
from training.evaluation_questions import QuestionCounts, evaluation_sets

TEXT = (
    "Mara Ellwood opened the museum in 1962. The pump filters the water and cools the engine. "
    "The canal has seven locks. The bridge was designed by Oskar Hahn in 1931."
)
PASSAGE = at(TEXT, title="Harbour notes")
WRITTEN = tuple(write_pairs([PASSAGE]))
GROUPS = group_wordings(WRITTEN)


def made(written: tuple[CandidatePair, ...] = WRITTEN) -> Curriculum:
    found = compose_curriculum("harbour", "rust", written, {PASSAGE.id: PASSAGE}, teacher="rules")
    assert found is not None
    return found


def candidate(
    question: str, answer: str = "the pump", quote: str = "The pump filters the water"
) -> CandidatePair:
    return CandidatePair(question=question, answer=answer, form="what", quote=quote, passage_id=PASSAGE.id)


def test_wordings_of_one_question_are_one_fact() -> None:
    assert sum(map(len, GROUPS)) <= len(WRITTEN)
    assert all(len({(c.quote, c.form, normalise(c.answer)) for c in group}) == 1 for group in GROUPS)
    (group,) = group_wordings([candidate("What filters the water?"), candidate("what filters water?!")])
    assert len(group) == 1


def test_a_held_out_wording_is_never_taught() -> None:
    curriculum = made()
    taught = {(pair.fact_id, normalise(pair.question)) for pair in curriculum.pairs}
    assert curriculum.held_out
    assert not [p for p in curriculum.held_out if (p.fact_id, normalise(p.question)) in taught]


def test_every_fact_has_enough_taught_wordings_and_one_held_out() -> None:
    curriculum = made()
    for fact in curriculum.facts:
        taught = {normalise(p.question) for p in curriculum.pairs if p.fact_id == fact.id}
        assert len(taught) >= MIN_WORDINGS
        assert len([p for p in curriculum.held_out if p.fact_id == fact.id]) == 1


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_a_fact_of_few_wordings_gets_more_of_them_and_still_holds_one_out(count: int) -> None:
    curriculum = made(tuple(candidate(f"What filters the water{'?' * n} {n}") for n in range(1, count + 1)))
    assert len({normalise(p.question) for p in curriculum.pairs}) >= MIN_WORDINGS
    assert len(curriculum.held_out) == 1


def test_the_plainest_wording_is_always_taught() -> None:
    taught = {pair.question for pair in made().pairs}
    assert {group[0].question for group in GROUPS} <= taught


def test_a_question_with_a_blank_is_a_cloze_and_never_held_out() -> None:
    curriculum = made()
    assert {p.form for p in curriculum.pairs if "____" in p.question} == {"cloze"}
    assert not [p for p in curriculum.held_out if "____" in p.question]


def test_facts_point_at_the_words_that_state_them() -> None:
    moved = PASSAGE.model_copy(update={"start": 500, "end": 500 + len(TEXT)})
    curriculum = compose_curriculum("harbour", "rust", WRITTEN, {PASSAGE.id: moved}, teacher="rules")
    assert curriculum is not None
    assert all(TEXT[f.start - 500 : f.end - 500] == f.sentence for f in curriculum.facts)


def test_facts_of_a_private_document_name_its_owner() -> None:
    private = PASSAGE.model_copy(update={"owner": "ben"})
    curriculum = compose_curriculum("harbour", "rust", WRITTEN, {PASSAGE.id: private}, teacher="rules")
    assert curriculum is not None
    assert {fact.owner for fact in curriculum.facts} == {"ben"}
    assert {fact.owner for fact in made().facts} == {None}


def test_nothing_verified_is_no_curriculum() -> None:
    assert compose_curriculum("harbour", "rust", (), {}, teacher="rules") is None


@pytest.mark.slow
def test_each_process_makes_the_same_curriculum() -> None:
    code = "from tests.agent.learning.test_curriculum import made; print(made().digest)"
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert digests == {made().digest}


def test_the_facts_closest_to_a_question_come_first_in_their_own_order() -> None:
    chosen = closest_groups(GROUPS, "Who designed the bridge?", 4)
    assert len(chosen) == 4
    assert all("Oskar Hahn" in group[0].quote for group in chosen)
    assert [GROUPS.index(group) for group in chosen] == sorted(GROUPS.index(group) for group in chosen)


def test_with_room_for_all_nothing_is_left_out() -> None:
    assert (
        closest_groups(GROUPS, "Who designed the bridge?", 1000)
        == GROUPS
        == evenly_spread(GROUPS, len(GROUPS))
    )


def test_a_topic_is_thinned_out_evenly_over_the_text() -> None:
    chosen = evenly_spread(GROUPS, 4)
    assert len(chosen) == 4
    assert len({group[0].quote for group in chosen}) == 4
    assert evenly_spread(GROUPS, 0) == ()


@pytest.mark.parametrize(
    ("facts", "sizes"),
    [(0, []), (1, [1]), (12, [12]), (13, [7, 6]), (24, [12, 12]), (25, [12, 7, 6]), (60, [12] * 5)],
)
def test_a_topic_is_cut_into_full_lessons_but_for_the_last_two(facts: int, sizes: list[int]) -> None:
    groups = [(candidate(f"What is {n}?"),) for n in range(facts)]
    parts = split_into_lessons(groups, 12)
    assert [len(part) for part in parts] == sizes
    assert [group for part in parts for group in part] == groups


@pytest.mark.parametrize("facts", [13, 25, 59, 60, 61, 100])
def test_what_the_first_lessons_leave_is_cut_as_before(facts: int) -> None:
    groups = [(candidate(f"What is {n}?"),) for n in range(facts)]
    parts = split_into_lessons(groups, 12)
    for taught in range(len(parts)):
        rest = [group for part in parts[taught:] for group in part]
        assert split_into_lessons(rest, 12) == parts[taught:]


def test_candidates_are_put_in_the_order_of_their_quotes() -> None:
    other = at("The canal has seven locks.", title="Another document").model_copy(update={"source": "a.md"})
    passages = {PASSAGE.id: PASSAGE, other.id: other}
    last = candidate("How many locks?", "seven", "The canal has seven locks").model_copy(
        update={"passage_id": other.id}
    )
    found = in_document_order([*WRITTEN[::-1], last], passages)
    assert found[0] == last
    places = [TEXT.index(each.quote) for each in found[1:]]
    assert places == sorted(places)


def test_two_things_said_of_one_subject_are_two_facts_to_forgetting() -> None:
    """`What filters the water?` and `What filters the air?` have one answer and are not the same."""
    lessons = []
    for thing in ("water", "air"):
        home = at(f"The pump filters the {thing}.", title="Harbour notes")
        written = [c for c in write_pairs([home]) if c.answer == "the pump"]
        lessons.append(compose_curriculum(thing, "rust", written, {home.id: home}, teacher="rules"))
    kept, left_out = lessons
    assert kept is not None
    assert left_out is not None
    sets = evaluation_sets(kept, BASE, QuestionCounts(), RECIPE, left_out=[left_out])
    assert [q.references for q in sets.forgotten] == [("the pump",)]
    assert sets.rehearsed == ()

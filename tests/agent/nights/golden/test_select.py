"""Golden pairs are verified, self-contained, different from one another, and some of each topic."""

from collections.abc import Sequence

import pytest

from agent.nights.golden.select import GoldenSelection, select_golden
from agent.nights.scoring.evidence import ScoringEvidence
from memory.embedding.embedder import HashingEmbedder
from memory.records.interactions import LoggedMessage
from memory.records.nights import GoldenPair, NightOptions
from tests.support.golden import (
    MANUAL,
    NIGHT,
    QUESTIONS,
    Answered,
    answered,
    citation,
    improved,
    known,
    passage,
    topic_of,
)
from tests.support.interactions import feedback

EMBEDDER = HashingEmbedder()
PRESSURE = answered("t1", QUESTIONS["pressure"], "The limit of the Zephyr pump is 40 bar.", "pressure")


def select(answers: Sequence[Answered], *, seed: int = 0, **more: object) -> GoldenSelection:
    options = more.pop("options", NightOptions())
    terms: dict[str, object] = {"revisions": (), "topics": (), "known": ()} | more
    return select_golden(
        [each.turn for each in answers],
        {each.turn.id: each.score for each in answers},
        evidence=ScoringEvidence(turns={each.turn.id: each.evidence for each in answers}),
        embedder=EMBEDDER,
        night=NIGHT.model_copy(update={"options": options}),
        now=NIGHT.until,
        seed=seed,
        **terms,  # type: ignore[arg-type]
    )


def reason(each: Answered, **more: object) -> str:
    found = select([each], **more)
    assert found.pairs == ()
    (why,) = found.dropped
    return why


def test_a_high_answer_that_its_source_supports_is_golden() -> None:
    (pair,) = select([PRESSURE]).pairs
    assert (pair.question, pair.answer) == (QUESTIONS["pressure"], "The limit of the Zephyr pump is 40 bar.")
    assert (pair.form, pair.status, pair.source, pair.score) == ("qa", "approved", "t1", 9.0)
    assert pair.citations == PRESSURE.turn.citations


def test_an_answer_of_a_middling_score_is_not() -> None:
    found = select([PRESSURE.scored(7.9)])
    assert (found.pairs, found.dropped) == ((), {})


def test_an_improved_revision_stands_in_for_the_answer() -> None:
    low = answered("t1", QUESTIONS["pressure"], "The limit is 90 bar.", "pressure").scored(2.0)
    better = improved(low, "The limit of the Zephyr pump is 40 bar.", "pressure")
    (pair,) = select([low], revisions=[better]).pairs
    assert (pair.answer, pair.source) == ("The limit of the Zephyr pump is 40 bar.", better.id)
    rejected = better.model_copy(update={"status": "rejected"})
    assert select([low], revisions=[rejected]).pairs == ()


def test_a_quotation_is_taught_without_its_marks_and_title() -> None:
    quote = MANUAL["pressure"]
    quoted = answered("t1", QUESTIONS["pressure"], f"\u201c{quote}\u201d (Zephyr manual)", "pressure")
    (pair,) = select([quoted]).pairs
    assert pair.answer == quote


@pytest.mark.parametrize(
    ("question", "form"),
    [
        (QUESTIONS["pressure"], "qa"),
        ("Tell me the pressure limit of the Zephyr pump", "instruction"),
        ("The pressure limit of the Zephyr pump is ...", "completion"),
    ],
)
def test_the_form_follows_from_what_is_asked(question: str, form: str) -> None:
    (pair,) = select([answered("t1", question, "The limit of the Zephyr pump is 40 bar.", "pressure")]).pairs
    assert pair.form == form


def test_a_follow_up_is_taught_self_contained() -> None:
    messages = (
        LoggedMessage(role="user", content="What is the Zephyr pump?"),
        LoggedMessage(role="assistant", content="A pump."),
        LoggedMessage(role="user", content="What is its pressure limit?"),
    )
    (pair,) = select([PRESSURE.asking("What is its pressure limit?", messages=messages)]).pairs
    assert pair.question == "What is the Zephyr pump's pressure limit?"


def test_a_question_that_needs_its_conversation_is_not_golden() -> None:
    assert "alone" in reason(PRESSURE.asking("What is its limit?"))


def test_personal_data_is_not_taught() -> None:
    assert "personal" in reason(PRESSURE.asking("What limit did ann@example.com set for the Zephyr pump?"))
    assert "personal" in reason(PRESSURE.asking("What limit did <EMAIL_ADDRESS> set for the Zephyr pump?"))


def test_the_services_own_abstention_is_not_taught() -> None:
    text = "I do not know: nothing that I have read answers this."
    assert "abstention" in reason(PRESSURE.saying("I do not know the limit of the Zephyr pump."))
    assert "abstention" in reason(PRESSURE.saying(text, outcome="abstained"))


def test_an_answer_whose_form_was_dictated_is_not_golden() -> None:
    messages = (
        LoggedMessage(role="system", content="Answer only with one word."),
        LoggedMessage(role="user", content=QUESTIONS["pressure"]),
    )
    assert "shaped" in reason(PRESSURE.asking(QUESTIONS["pressure"], messages=messages))


def test_an_answer_that_users_disliked_is_not_golden() -> None:
    bad = feedback("f1", "vote", value=-1).model_copy(update={"interaction_id": "t1"})
    assert "disliked" in reason(PRESSURE.with_feedback(bad))


def test_small_talk_is_not_golden() -> None:
    assert "knowledge" in reason(PRESSURE.saying("Sure, happy to help!", intent="conversation"))


def test_friendly_words_without_content_are_not_golden() -> None:
    assert "not supported" in reason(PRESSURE.saying("Sure, happy to help!"))


def test_a_cited_sentence_that_was_changed_in_the_source_is_no_support() -> None:
    gone = PRESSURE.reading(passage("The pressure limit of the Zephyr pump is 45 bar."))
    assert "no longer stands" in reason(gone)


def test_nearly_the_same_pair_is_taken_once() -> None:
    again = answered("t2", QUESTIONS["pressure"], "The limit of the Zephyr pump is 40 bar.", "pressure")
    found = select([PRESSURE, again.scored(9.5)])
    assert [pair.source for pair in found.pairs] == ["t2"]
    assert sum(found.dropped.values()) == 1


def test_what_an_earlier_night_has_is_not_taken_again() -> None:
    (pair,) = select([PRESSURE]).pairs
    assert select([PRESSURE], known=[pair]).pairs == (pair,)  # of this night: a repeated step
    found = select([PRESSURE], known=[pair.model_copy(update={"night_id": "night-1"})])
    assert found.pairs == ()


def test_what_a_person_declined_stays_declined() -> None:
    (pair,) = select([PRESSURE]).pairs
    declined = pair.model_copy(update={"night_id": "night-1", "status": "declined", "decided_by": "ann"})
    assert "declined" in reason(PRESSURE, known=[declined])


def test_a_contradiction_with_an_earlier_pair_drops_both_and_is_listed() -> None:
    earlier = known(QUESTIONS["pressure"], "The limit of the Zephyr pump is 60 bar.")
    found = select([PRESSURE], known=[earlier])
    assert (found.pairs, found.withdrawn) == ((), (earlier.id,))
    assert [each.other for each in found.contradictions] == [earlier]


def test_a_true_pair_that_a_contradiction_knocked_out_comes_back() -> None:
    (true,) = select([PRESSURE]).pairs
    gone = true.model_copy(update={"night_id": "n1", "status": "withdrawn", "withdrawn_by": "n1"})
    found = select([PRESSURE], known=[gone])
    assert [(pair.id, pair.status) for pair in found.pairs] == [(true.id, "approved")]
    assert found.withdrawn == ()


@pytest.mark.parametrize(("quote", "comes_in"), [("pressure", False), ("The limit was 90 bar once.", True)])
def test_a_withdrawn_pair_speaks_against_others_while_its_source_says_so(quote: str, comes_in: bool) -> None:
    cited = citation(quote)
    before = {"status": "withdrawn", "withdrawn_by": "n1", "citations": (cited,)}
    gone = known(QUESTIONS["pressure"], "The limit of the Zephyr pump is 90 bar.", **before)
    found = select([PRESSURE], known=[gone])
    assert bool(found.pairs) == comes_in
    assert found.withdrawn == ()


def test_a_step_that_withdrew_a_pair_selects_the_same_again() -> None:
    other = known(QUESTIONS["pressure"], "The limit of the Zephyr pump is 90 bar.")
    first = select([PRESSURE], known=[other])
    assert first.withdrawn == (other.id,)
    after = other.model_copy(update={"status": "withdrawn", "withdrawn_by": NIGHT.id})
    second = select([PRESSURE], known=[after])
    assert (second.pairs, second.withdrawn) == (first.pairs, first.withdrawn)


def test_a_pair_that_a_person_approved_is_not_withdrawn() -> None:
    earlier = known(QUESTIONS["pressure"], "The limit of the Zephyr pump is 60 bar.", decided_by="ann")
    found = select([PRESSURE], known=[earlier])
    assert (found.pairs, found.withdrawn) == ((), ())
    assert len(found.contradictions) == 1


def test_the_same_words_about_another_thing_are_no_contradiction() -> None:
    earlier = known(
        "What is the pressure limit of the Boreas pump?", "The limit of the Boreas pump is 60 bar."
    )
    assert len(select([PRESSURE], known=[earlier]).pairs) == 1


def many(count: int) -> list[Answered]:
    """Answers about as many valves of the manual."""
    return [
        answered(
            f"v{number}",
            f"What colour is valve {number} of the Zephyr pump?",
            f"Valve {number} of the Zephyr pump is {colour}.",
            f"Valve {number} of the Zephyr pump is {colour}.",
        ).scored(8 + number / 100)
        for number, colour in enumerate(("red", "blue", "green", "grey") * 10)
    ]


def about_valves(pairs: Sequence[GoldenPair]) -> tuple[object, ...]:
    return (topic_of([pair.question for pair in pairs], EMBEDDER),)


def test_a_topic_has_at_most_so_many_pairs_and_the_best_ones() -> None:
    valves = many(40)
    all_of_them = select(valves).pairs
    assert len(all_of_them) == 40
    found = select(valves, topics=about_valves(all_of_them), options=NightOptions(per_topic=10))
    assert len(found.pairs) == 10
    assert min(pair.score for pair in found.pairs) == pytest.approx(8.30)
    assert found.dropped == {"its topic has enough": 30}


def test_a_share_is_drawn_for_people_by_its_seed_alone() -> None:
    valves, options = many(40), NightOptions(spot_check=0.1)
    drawn = [
        {pair.id for pair in select(valves, seed=seed, options=options).pairs if pair.spot_check}
        for seed in (0, 0, 1)
    ]
    assert len(drawn[0]) == 4
    assert drawn[0] == drawn[1] != drawn[2]


def test_drawn_pairs_wait_only_where_the_night_says_so() -> None:
    valves = many(40)
    held = select(valves, options=NightOptions(spot_check=0.1, hold_spot_checks=True)).pairs
    assert sum(pair.status == "waiting" for pair in held) == 4
    assert all(pair.spot_check == (pair.status == "waiting") for pair in held)
    free = select(valves, options=NightOptions(spot_check=0.1)).pairs
    assert {pair.status for pair in free} == {"approved"}


def test_another_domains_answers_are_left_to_its_night() -> None:
    other = Answered(PRESSURE.turn.model_copy(update={"domain": "kilns"}), PRESSURE.score, PRESSURE.evidence)
    assert select([other]).pairs == ()

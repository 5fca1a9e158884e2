"""Answers are scored by what sources, checks and users say about them, and by how they are written."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.chat.abstention import abstention_text
from agent.nights.scoring.evidence import ScoringEvidence
from agent.nights.scoring.score import score_turns
from memory.records.feedback import FeedbackKind
from tests.support.interactions import feedback, interaction
from tests.support.scoring import CASE, RIGHT, SCORER, WRONG, item, score, vote

ABSTENTION = abstention_text("sources_silent", "en")
UNANSWERED = CASE.model_copy(update={"source": "Dogs are welcome in the garden of the inn."})


def test_a_supported_answer_is_high_and_one_that_a_source_contradicts_is_low() -> None:
    assert score(RIGHT).bracket == "high"
    wrong = score(WRONG)
    assert wrong.bracket == "low"
    assert wrong.criteria["correctness"] < 0.2
    assert "source" in wrong.reasons[0]


def test_an_answer_that_declines_is_right_only_if_no_source_answers() -> None:
    assert score(ABSTENTION).bracket == "low"
    assert score(ABSTENTION, case=UNANSWERED).value > 5
    assert score("I don't know.", case=UNANSWERED).value > 5


@pytest.mark.parametrize("language", ["de", "fr", "ja"])
def test_the_abstention_is_known_in_other_languages(language: str) -> None:
    judged = score(abstention_text("no_sources", language), case=UNANSWERED)
    assert "correctness" not in judged.criteria


def test_a_true_sentence_beside_the_point_is_low() -> None:
    assert score("Bicycles travel free.").bracket == "low"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "clarity: the answer is empty"),
        (
            "The ferry leaves at the ferry leaves at the ferry leaves at the ferry leaves",
            "clarity: it repeats",
        ),
        (
            RIGHT + " On Sundays it leaves at pier two and it may also be that the",
            "clarity: its last sentence",
        ),
        (RIGHT + " That is 18 + 40 = 68 minutes.", ""),
        (RIGHT + " That is 18 + 40 = 60 minutes.", "checks: "),
        (RIGHT + "\n```json\n{broken}\n```", "checks: the JSON cannot be read"),
    ],
)
def test_flaws_are_named(answer: str, reason: str) -> None:
    assert reason in " | ".join(score(answer).reasons)


def test_a_fatal_flaw_is_not_made_good_by_users() -> None:
    assert score(WRONG, vote(1), feedback("f", "copied", value=1)).bracket == "low"


def test_a_correction_lowers_and_never_raises() -> None:
    said = feedback("f", "correction", text="It leaves at 19:00.")
    assert score(RIGHT, said).value < score(RIGHT).value
    assert score(WRONG, said).value <= score(WRONG).value
    sourced = feedback("f", "correction", text="It leaves at 18:40.")
    assert score("The ferry leaves at noon.", sourced).criteria["correctness"] <= 0.1


def test_a_citation_that_the_library_no_longer_holds_is_found() -> None:
    quote = "Bicycles travel free."
    assert score(RIGHT, quote=quote).criteria["checks"] == 1
    assert score(RIGHT, quote="Bicycles cost two euros.").criteria["checks"] == 0


def test_citations_of_what_the_user_said_are_not_looked_up() -> None:
    turn = item(RIGHT, quote="Bicycles cost two euros.").turn
    said = turn.citations[0].model_copy(update={"source": "statement:1"})
    assert "checks" not in score(RIGHT, citations=(said,)).criteria


def test_sources_that_disagree_leave_an_answer_in_doubt() -> None:
    assert score(RIGHT, sources_disagree=True).criteria["correctness"] <= 0.6


def test_without_sources_the_gate_s_confidence_counts() -> None:
    turn = interaction("i1", outcome="answered", citations=())
    judged = score_turns([turn], ScoringEvidence(turns={}), SCORER)[0]
    assert judged.criteria["correctness"] == 0.9


def test_conversation_is_not_judged_by_sources() -> None:
    assert "correctness" not in score("Good morning to you too!", intent="conversation").criteria


def test_the_scorer_s_version_is_logged_with_each_score() -> None:
    assert score(RIGHT).scorer == SCORER.label


def test_scoring_again_gives_the_same_score() -> None:
    first, second = (score(RIGHT, vote(1)) for _ in range(2))
    assert first.model_copy(update={"created_at": second.created_at}) == second


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(question=st.text(max_size=200), answer=st.text(max_size=400), source=st.text(min_size=1, max_size=200))
def test_any_texts_are_scored_within_the_range(question: str, answer: str, source: str) -> None:
    case = CASE.model_copy(update={"question": question, "source": source})
    judged = score(answer, case=case)
    assert 1 <= judged.value <= 10
    assert all(0 <= value <= 1 for value in judged.criteria.values())


WORSE: dict[FeedbackKind, tuple[float, ...]] = {
    "vote": (1, -1),
    "rating": (5, 4, 3, 2, 1),
    "copied": (1, 0),
    "continued": (1, 0),
    "regenerated": (0, 1),
}


@settings(max_examples=60, deadline=None)
@given(
    answer=st.sampled_from([RIGHT, WRONG, ABSTENTION, "At 18:40."]),
    kind=st.sampled_from(sorted(WORSE)),
    others=st.dictionaries(st.sampled_from(sorted(WORSE)), st.integers(0, 4)),
)
def test_worse_feedback_never_raises_a_score(
    answer: str, kind: FeedbackKind, others: dict[FeedbackKind, int]
) -> None:
    given_ = [
        feedback(f"f-{other}", other, value=WORSE[other][step % len(WORSE[other])])
        for other, step in others.items()
        if other != kind
    ]
    values = [score(answer, *given_, feedback("f", kind, value=value)).value for value in WORSE[kind]]
    assert values == sorted(values, reverse=True)


@settings(max_examples=30, deadline=None)
@given(
    owners=st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True),
    answer=st.sampled_from([RIGHT, "At 18:40.", WRONG]),
)
def test_more_votes_down_never_raise_a_score(owners: list[str], answer: str) -> None:
    votes = [feedback(owner, "vote", value=-1, owner=owner) for owner in owners]
    values = [score(answer, *votes[:count]).value for count in range(len(votes) + 1)]
    assert values == sorted(values, reverse=True)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "part",
    ["1 + ", "```\n", "**a", "( ", "a ", "- ", "1,000", "\u00d7 2 = ", "not ", "{[", "it is ", "%", "A. "],
)
def test_long_answers_made_to_be_slow_are_scored_in_time(part: str) -> None:
    assert score(part * (20_000 // len(part))).value < 8

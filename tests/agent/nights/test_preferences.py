"""A night's preference pairs: revisions and scored answers, under the rules of all other pairs."""

from datetime import UTC, datetime
from typing import Any

from agent.feedback.pair_sources import Evidence, standard_rules
from agent.feedback.pairs import evaluation_prompts
from agent.nights.preferences import night_preferences, revision_pairs, scored_pairs
from memory.records.interactions import Interaction
from memory.records.knowledge import Citation
from memory.records.nights import AnswerScore, Revision
from tests.support.interactions import interaction
from tests.support.preferences import prompt

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
RULES = standard_rules()
CITED = (Citation(source="a.md", title="A", start=0, end=3, quote="abc"),)


def turn(number: int, **fields: Any) -> Interaction:
    question = f"What does part {number} do?"
    values = {
        "question": question,
        "messages": prompt(question),
        "answer": f"It hums {number}.",
        "outcome": "answered",
        "unit": f"u{number}",
    }
    return interaction(f"i{number}", **values | fields)


def revision(number: int, **fields: Any) -> Revision:
    values: dict[str, Any] = {
        "id": f"n1-i{number}",
        "night_id": "n1",
        "interaction_id": f"i{number}",
        "domain": "rust",
        "question": f"What does part {number} do?",
        "before": f"It hums {number}.",
        "answer": f"Part {number} filters the water.",
        "strategy": "quote",
        "score_before": 3,
        "score_after": 8,
        "citations": CITED,
        "attempts": 1,
        "status": "improved",
        "created_at": NOW,
    }
    return Revision.model_validate(values | fields)


def score(id: str, value: float) -> AnswerScore:
    return AnswerScore(interaction_id=id, value=value, criteria={}, scorer="s", created_at=NOW)


TURNS = [turn(i) for i in range(12)]
REVISIONS = [revision(i) for i in range(12)]


def test_an_improved_answer_is_preferred_to_the_one_that_it_replaces() -> None:
    ((pair, users),) = revision_pairs(REVISIONS[:1], TURNS, RULES)
    assert (pair.chosen, pair.rejected) == ("Part 0 filters the water.", "It hums 0.")
    assert (pair.origin, pair.source, pair.weight) == ("revision", "n1", 0.8)
    assert users == {"u0"}


def test_a_revision_that_is_not_improved_gives_no_pair() -> None:
    statuses = ("no_better", "unverified", "needs_person", "rejected")
    assert not list(revision_pairs([revision(0, status=each) for each in statuses], TURNS, RULES))


def test_a_revision_of_a_deleted_turn_gives_no_pair() -> None:
    assert not list(revision_pairs(REVISIONS, [], RULES))


def test_an_answer_worded_by_the_service_is_not_rejected() -> None:
    abstained = turn(0, answer="I do not know.", outcome="abstained")
    ((pair, _),) = revision_pairs([revision(0, before="I do not know.")], [abstained], RULES)
    assert pair.rejected is None


def test_the_night_trains_the_revisions_of_its_domain() -> None:
    others = [revision(99, domain="cooking")]
    found = night_preferences(
        [*REVISIONS, *others], Evidence(TURNS), domain="rust", evaluated=frozenset(), minimum=10
    )
    assert found.preferences is not None
    assert len(found.preferences.pairs) + len(found.preferences.held_out) == 12
    assert found.reason == "12 pairs: 12 by revision"


def test_too_few_pairs_give_a_reason_and_no_set() -> None:
    found = night_preferences(
        REVISIONS[:3], Evidence(TURNS), domain="rust", evaluated=frozenset(), minimum=10
    )
    assert found.preferences is None
    assert "3 preference pairs (3 by revision), and 10 are needed" in found.reason


def test_questions_of_an_evaluation_are_never_trained() -> None:
    evaluated = evaluation_prompts(each.question for each in REVISIONS[:6])
    found = night_preferences(REVISIONS, Evidence(TURNS), domain="rust", evaluated=evaluated, minimum=5)
    assert found.preferences is not None
    trained = {pair.question for pair in (*found.preferences.pairs, *found.preferences.held_out)}
    assert trained == {each.question for each in REVISIONS[6:]}


def test_one_user_cannot_fill_the_set_with_revisions() -> None:
    turns = [turn(i, unit="u1") for i in range(40)]
    found = night_preferences(
        [revision(i) for i in range(40)], Evidence(turns), domain="rust", evaluated=frozenset(), minimum=2
    )
    assert found.counts is not None
    assert found.counts.by_origin == {"revision": RULES.least_per_user}


def asked_again(*answers: str, **fields: Any) -> list[Interaction]:
    """The same question, answered in several ways."""
    question = "How do I stop the pump?"
    values = {"question": question, "messages": prompt(question)} | fields
    return [turn(i, answer=answer, **values) for i, answer in enumerate(answers)]


def test_answers_at_least_two_points_apart_become_a_pair_weighted_by_the_distance() -> None:
    turns = asked_again("Use the lever.", "Shout.", "Pull it.")
    scores = {"i0": score("i0", 9), "i1": score("i1", 4.5), "i2": score("i2", 7.5)}
    ((pair, users),) = scored_pairs(turns, scores, RULES)
    assert (pair.chosen, pair.rejected, pair.origin) == ("Use the lever.", "Shout.", "score")
    assert pair.weight == RULES.score * 4.5 / 9
    assert users == {"u0", "u1"}


def test_answers_in_the_words_of_the_service_are_not_compared() -> None:
    turns = asked_again("Use the lever.", "I do not know.", outcome="answered_from_sources")
    assert not list(scored_pairs(turns, {"i0": score("i0", 9), "i1": score("i1", 2)}, RULES))


def test_equal_answers_are_not_compared() -> None:
    turns = asked_again("Use the lever.", "Use  the lever.")
    assert not list(scored_pairs(turns, {"i0": score("i0", 9), "i1": score("i1", 2)}, RULES))


def test_scores_train_a_reward_model_and_nothing_else() -> None:
    turns = [*TURNS, *(each.model_copy(update={"id": f"s{each.id}"}) for each in asked_again("a", "b"))]
    scores = {"si0": score("si0", 9), "si1": score("si1", 2)}
    by_algorithm = {
        algorithm: night_preferences(
            REVISIONS,
            Evidence(turns),
            domain="rust",
            evaluated=frozenset(),
            minimum=5,
            algorithm=algorithm,
            scores=scores,
        )
        for algorithm in ("dpo", "grpo")
    }
    origins = {name: found.counts.by_origin for name, found in by_algorithm.items() if found.counts}
    assert origins == {"dpo": {"revision": 12}, "grpo": {"revision": 12, "score": 1}}

"""Topics of a day: what was asked often together, counted fairly, the same whatever the order."""

import random
from datetime import timedelta

import pytest

from agent.nights.topics.membership import topics_of
from memory.records.interactions import Interaction, LoggedMessage
from memory.records.nights import Topic
from tests.support.day_questions import DAY, EMBEDDER, LAMPS, OTHERS, PUMPS, asked, examine, gap, score, turn
from tests.support.interactions import NOON, feedback


@pytest.mark.parametrize("turns", [DAY, DAY[:9]], ids=["many", "few"])
def test_questions_about_one_thing_become_a_topic_named_by_its_words(turns: list[Interaction]) -> None:
    topics = examine(turns).topics
    found = {frozenset(topic.label[:2]): topic.count for topic in topics}
    assert found[frozenset({"water", "pump"})] == len(PUMPS)
    assert found[frozenset({"signal", "lamp"})] == len(LAMPS)


def test_questions_about_nothing_in_common_are_counted_and_in_no_topic() -> None:
    found = examine(DAY)
    assert found.questions == len(DAY)
    assert found.unclustered == len(OTHERS)
    assert not {question for topic in found.topics for question in topic.questions} & set(OTHERS)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_turns_changes_nothing(seed: int) -> None:
    shuffled = random.Random(seed).sample(DAY, len(DAY))
    assert examine(shuffled) == examine(DAY)


def test_a_day_without_questions_has_no_topics() -> None:
    assert examine([]).topics == ()
    assert examine(asked("Who wrote Middlemarch?")).unclustered == 1
    small_talk = [each.model_copy(update={"intent": "conversation"}) for each in DAY]
    assert examine(small_talk).questions == 0


def test_a_day_about_one_thing_is_one_topic() -> None:
    (topic,) = examine(asked(*[question for question in PUMPS for _ in range(2)])[:10]).topics
    assert topic.count == 10


def test_a_user_who_asks_the_same_again_and_again_counts_once() -> None:
    flood = [turn(f"f{number}", PUMPS[0], unit="bot", minutes=100 + number) for number in range(50)]
    found = examine([*DAY, *flood])
    pumps = next(topic for topic in found.topics if "pump" in topic.label)
    assert pumps.count == len(PUMPS) + 1
    assert found.repeated == 49


def test_what_users_ask_in_a_conversation_is_made_self_contained_and_counts_as_follow_up() -> None:
    first, rest = DAY[0], DAY[1:]
    messages = (
        LoggedMessage(role="user", content="How do I stop the water pump?"),
        LoggedMessage(role="assistant", content="By its red lever."),
        LoggedMessage(role="user", content="How do I drain it?"),
    )
    later = turn("i900", "How do I drain it?", unit=first.unit, minutes=1, messages=messages)
    pumps = next(topic for topic in examine([first, later, *rest]).topics if "pump" in topic.label)
    assert pumps.count == len(PUMPS) + 1
    assert pumps.units == len(PUMPS)
    assert pumps.follow_ups == 1


def test_low_scores_thumbs_down_and_questions_sent_again_count_as_dissatisfied() -> None:
    again = turn("i901", PUMPS[2], unit=DAY[2].unit, minutes=3)
    found = examine(
        [*DAY, again],
        scores={"i000": score("i000", 2.0), "i003": score("i003", 9.0)},
        feedback=[feedback("f1", "vote", value=-1).model_copy(update={"interaction_id": "i001"})],
    )
    pumps = next(topic for topic in found.topics if "pump" in topic.label)
    assert pumps.dissatisfied == 3


def test_open_gaps_of_the_domain_count_for_their_topic() -> None:
    gaps = [
        gap("g1", "How do I empty the water pump?"),
        gap("g2", "How do I paint the water pump?", domain="kilns"),
        gap("g3", "Who composed Fidelio?"),
        gap("g4", "How do I sell the water pump?", status="dismissed"),
    ]
    pumps = next(topic for topic in examine(DAY, open_gaps=gaps).topics if "pump" in topic.label)
    assert pumps.gaps == 1


def test_a_topic_with_gaps_and_bad_answers_comes_before_one_of_the_same_size() -> None:
    bad = examine(DAY, scores={f"i{number:03}": score(f"i{number:03}", 1.0) for number in range(5, 9)})
    assert "lamp" in bad.topics[0].label
    assert examine(DAY).topics[0].priority < bad.topics[0].priority


def test_an_earlier_nights_topic_is_recognised_by_its_centre() -> None:
    pumps = next(topic for topic in examine(DAY).topics if "pump" in topic.label)
    assert pumps.trend == "new"
    before = pumps.model_copy(update={"night_id": "night-1", "created_at": NOON})

    def trend(count: int, earlier: Topic = before) -> str:
        found = examine(DAY, earlier=[earlier.model_copy(update={"count": count})]).topics
        return next(topic.trend for topic in found if "pump" in topic.label)

    assert trend(5) == "steady"
    assert trend(40) == "falling"
    assert trend(5, before.model_copy(update={"created_at": NOON - timedelta(days=9)})) == "rising"
    assert trend(5, before.model_copy(update={"created_at": NOON - timedelta(days=60)})) == "new"
    assert trend(5, before.model_copy(update={"centre": (1.0, 0.0)})) == "new"


def test_a_question_belongs_to_the_topic_that_it_is_about_or_to_none() -> None:
    topics = examine(DAY).topics
    found = topics_of([PUMPS[0], "Who wrote Middlemarch?"], topics, embedder=EMBEDDER)
    assert found[0] is not None
    assert "pump" in found[0].label
    assert found[1] is None

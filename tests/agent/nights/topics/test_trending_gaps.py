"""The gaps that a night explores: in the most wanted topics, each once, and none that is settled."""

from datetime import timedelta

from agent.nights.topics.trending_gaps import trending_gaps
from memory.records.interactions import Gap
from memory.records.nights import Topic
from tests.support.day_questions import DAY, EMBEDDER, examine, gap
from tests.support.interactions import NOON

TOPICS = examine(DAY).topics
EMPTYING = gap("g1", "How do I empty the water pump?")
PAINTING = gap("g2", "How do I paint the water pump?")
BULB = gap("g3", "Which bulb has the signal lamp?")
FIDELIO = gap("g4", "Who composed Fidelio?")


def chosen(*gaps: Gap, limit: int = 3, topics: tuple[Topic, ...] = TOPICS, **more: object) -> list[str]:
    found = trending_gaps(topics, gaps, limit, embedder=EMBEDDER, now=NOON, **more)  # type: ignore[arg-type]
    return [each.id for each in found]


def test_the_topics_take_turns_by_priority() -> None:
    assert chosen(EMPTYING, PAINTING, BULB) == ["g1", "g3", "g2"]
    assert chosen(EMPTYING, PAINTING, BULB, limit=2) == ["g1", "g3"]


def test_a_gap_in_no_topic_is_not_trending() -> None:
    assert chosen(FIDELIO) == []
    assert chosen(EMPTYING, topics=()) == []
    assert chosen(EMPTYING, limit=0) == []


def test_gaps_with_one_meaning_are_explored_once_and_first() -> None:
    again = gap("g5", "How do I paint the water pump", opened_at=NOON + timedelta(hours=1))
    assert chosen(EMPTYING, PAINTING, again) == ["g2", "g1"]


def test_a_gap_that_means_the_same_as_a_dismissed_one_is_left_alone() -> None:
    dismissed = gap("g6", "How do I empty the water pump", status="dismissed")
    assert chosen(EMPTYING, PAINTING, dismissed) == ["g2"]


def test_a_gap_that_was_merged_into_an_open_one_does_not_settle_it() -> None:
    merged = gap("g6", "How do I empty the water pump", status="dismissed", merged_into="g1")
    opened = EMPTYING.model_copy(update={"opened_at": NOON - timedelta(hours=1)})
    assert chosen(opened, merged) == ["g1"]


def test_a_gap_that_is_being_learned_or_was_explored_this_week_is_left_alone() -> None:
    assert chosen(EMPTYING.model_copy(update={"status": "learning"})) == []
    assert chosen(EMPTYING, explored={"g1": NOON - timedelta(days=6)}) == []
    assert chosen(EMPTYING, explored={"g1": NOON - timedelta(days=8)}) == ["g1"]

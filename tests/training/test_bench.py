"""What the benchmark of learning will be made of: its topics, and falsehoods planted among true pairs."""

import pytest

from training.bench import corruption
from training.bench.topics import SIZE, Topic, topics
from training.seed import bank


@pytest.fixture(scope="module")
def made() -> tuple[Topic, ...]:
    return topics(20)


def test_topics_hold_as_many_facts_as_they_should_and_share_no_word(made: tuple[Topic, ...]) -> None:
    assert [len(topic.facts) for topic in made] == [SIZE] * len(made)
    subjects = [{fact.subject.lower() for fact in topic.facts} for topic in made]
    assert sum(map(len, subjects)) == len(set().union(*subjects))


def test_topics_are_about_reserved_words_only(made: tuple[Topic, ...]) -> None:
    reserved = {fact.subject.lower() for fact in bank.reserved()}
    taught = {fact.subject.lower() for fact in (*bank.known(), *bank.unknown())}
    subjects = {fact.subject.lower() for topic in made for fact in topic.facts}
    assert subjects <= reserved
    assert not subjects & taught


def test_topics_are_the_same_every_time(made: tuple[Topic, ...]) -> None:
    assert topics(3) == made[:3]


def test_more_topics_than_there_are_words_are_refused() -> None:
    with pytest.raises(ValueError, match="fewer"):
        topics(1000)


def test_planted_falsehoods_are_dropped_and_true_pairs_kept(made: tuple[Topic, ...]) -> None:
    found = corruption.measure(made)
    assert (found.true, found.planted) == (400, 200)
    assert {kind.planted for kind in found.kinds} == {40}
    assert found.dropped / found.planted >= 0.99, found.missed
    assert found.kept / found.true >= 0.95

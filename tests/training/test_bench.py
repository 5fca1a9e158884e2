"""The benchmark of learning: its topics, its planted falsehoods, its rivals, and how results are kept."""

import json
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from training.bench import corruption
from training.bench.methods import OURS, RIVALS, Lesson, repeated
from training.bench.results import Goal, Result, Table, met, write
from training.bench.sequence import curriculum
from training.bench.topics import SIZE, Topic, topics
from training.encoding import encode
from training.recipes import standard
from training.seed import bank, model
from training.trainer import Example


@pytest.fixture(scope="module")
def made() -> tuple[Topic, ...]:
    return topics(20)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    loaded = PreTrainedTokenizerFast.from_pretrained(model.FOLDER)
    assert isinstance(loaded, PreTrainedTokenizerFast)
    return loaded


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


def test_rivals_are_given_as_many_tokens_as_ours(
    made: tuple[Topic, ...], tokenizer: PreTrainedTokenizerFast
) -> None:
    replayed = [Example(question="What is a car?", answer="a motor vehicle", replayed=True)]
    lesson = Lesson(made[0].passages, curriculum(made[0]), replayed)
    for rival in RIVALS:
        taken = repeated(rival.examples(lesson), 5000, tokenizer, seed=0)
        tokens = sum(len(encode(tokenizer, example).tokens) for example in taken)
        assert 5000 <= tokens < 5400
        assert not any(example.replayed for example in taken)
        assert rival.recipe(standard(), 3).seed == 3
    assert [e for e in OURS.examples(lesson) if e.replayed] == replayed


def test_nothing_cannot_be_repeated(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(ValueError, match="nothing"):
        repeated([], 10, tokenizer, seed=0)


RESULT = Result(
    name="lamps",
    title="Lamps",
    command="make bench-lamps",
    seconds=3.0,
    figures={"bright": 0.9, "hot": 0.3, "others": 1.0},
    goals={"bright": Goal(at=">=", bound=0.9), "hot": Goal(at="<=", bound=0.2)},
    tables=(Table(title="All", text="Each lamp.", head=("lamp", "lumen"), rows=(("one", "800"),)),),
)


def test_a_result_is_a_file_for_machines_and_a_page_for_people(tmp_path: Path) -> None:
    write(RESULT, tmp_path)
    told = json.loads((tmp_path / "lamps.json").read_text())
    assert told["figures"] == {"bright": 0.9, "hot": 0.3, "others": 1.0}
    assert told["goals"]["hot"] == {"goal": "<= 0.2", "figure": 0.3, "met": False}
    page = (tmp_path / "lamps.md").read_text()
    assert "| hot | <= 0.2 | 0.3 | **no** |" in page
    assert "| one | 800 |" in page


def test_a_goal_is_met_at_its_bound() -> None:
    assert met(RESULT, "bright")
    assert not met(RESULT, "hot")


def test_a_goal_without_a_figure_is_a_mistake(tmp_path: Path) -> None:
    result = RESULT.model_copy(update={"goals": {"loud": Goal(at=">=", bound=1)}})
    with pytest.raises(ValueError, match="loud"):
        write(result, tmp_path)

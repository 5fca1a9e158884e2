"""The benchmark of learning: its topics, planted falsehoods, rivals, what it tells, and how that is kept."""

import json
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from memory.records import Adapter, Digest, digest_of
from memory.results import Goal, Result, Table, met, write
from tests.adapters import adapter, evaluation, score
from training.bench import ablations, corruption
from training.bench.distance import is_far
from training.bench.learning import FULL, QUICK, Plan, lesson_of
from training.bench.learning_page import GOALS, figures, plot, told
from training.bench.methods import OURS, RIVALS, Lesson, Run, read, repeated
from training.bench.sequence import WORDINGS, Learned
from training.bench.topics import DEVELOPMENT, SIZE, Topic, topics
from training.dataset import shipped_bank
from training.encoding import encode
from training.questions import evaluation_sets
from training.recipes import standard
from training.seed import bank, model
from training.trainer import Example, TrainingSummary


@pytest.fixture(scope="module")
def made() -> tuple[Topic, ...]:
    return topics(corruption.TOPICS)


@pytest.fixture(scope="module")
def false(made: tuple[Topic, ...]) -> corruption.Corruption:
    return corruption.measure(made)


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


@pytest.mark.parametrize("plan", [QUICK, FULL])
def test_every_lesson_of_a_plan_can_be_measured_and_shares_no_word_with_another(plan: Plan) -> None:
    made = [topic for lot in plan.lots() for topic in lot]
    development = topics(DEVELOPMENT)
    subjects = [{fact.subject.lower() for fact in topic.facts} for topic in (*development, *made)]
    assert sum(map(len, subjects)) == len(set().union(*subjects))
    for topic in made:
        sets = evaluation_sets(lesson_of(topic), shipped_bank(), plan.sizes, seed=0)
        assert sets.in_distribution
        assert sets.near


def test_lessons_have_as_many_wordings_as_the_service_gives_them() -> None:
    from agent.settings import Settings

    assert Settings.model_fields["wordings_per_fact"].default == WORDINGS


def test_planted_falsehoods_are_dropped_and_true_pairs_kept(false: corruption.Corruption) -> None:
    assert (false.true, false.planted) == (400, 200)
    assert {kind.planted for kind in false.kinds} == {20}
    assert false.dropped / false.planted >= 0.99, false.missed
    assert false.kept / false.true >= 0.95


def test_rivals_are_given_as_many_tokens_as_ours(
    made: tuple[Topic, ...], tokenizer: PreTrainedTokenizerFast
) -> None:
    read = [Example(question=fact.subject, answer=fact.object) for fact in made[0].facts]
    lesson = Lesson(made[0].passages, lesson_of(made[0]), read)
    for rival in RIVALS:
        taken = repeated(rival.examples(lesson, standard()), 5000, tokenizer, seed=0)
        tokens = sum(len(encode(tokenizer, example).tokens) for example in taken)
        assert 5000 <= tokens < 5400
        assert any(example.held for example in taken) == (rival.name == "prompt distillation")
        assert rival.recipe(standard(), 3).seed == 3
    assert any(example.held for example in OURS.examples(lesson, standard()))


def test_every_ablation_trains_otherwise_than_ours(made: tuple[Topic, ...]) -> None:
    read = [Example(question="What is a cape?", answer="a strip of land")]
    lesson = Lesson(made[0].passages, lesson_of(made[0]), read)
    recipes = [method.recipe(standard(), 0) for method in ablations.ABLATIONS]
    trained = {
        (recipe.model_copy(update={"name": ""}), tuple(method.examples(lesson, recipe)))
        for method, recipe in zip(ablations.ABLATIONS, recipes, strict=True)
    }
    assert len(trained) == len({recipe.name for recipe in recipes}) == len(ablations.ABLATIONS)


def test_nothing_cannot_be_repeated(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(ValueError, match="nothing"):
        repeated([], 10, tokenizer, seed=0)


def test_the_model_reads_the_sentence_that_answers(made: tuple[Topic, ...]) -> None:
    for fact in made[0].facts:
        prompt = read(f"What is {fact.subject}?", made[0].passages, made[0].facts)
        assert fact.sentence in prompt
        assert len(prompt.split()) < 200


def test_a_wording_is_far_where_no_taught_one_is_near() -> None:
    for question, far in (
        ("How do you define a zorble?", False),
        ("Hey, give me a quick explanation of zorbles, roughly", True),
    ):
        assert is_far(question, "definition") is far
    with pytest.raises(ValueError, match="no held-out wording"):
        is_far("Zorble?", "definition")


def test_lessons_are_asked_in_far_and_near_wordings(made: tuple[Topic, ...]) -> None:
    sets = evaluation_sets(lesson_of(made[0]), shipped_bank(), FULL.sizes, seed=0)
    share = sum(is_far(q.text, q.form) for q in sets.in_distribution) / len(sets.in_distribution)
    assert 0.3 < share < 0.9


def test_a_confidence_that_could_not_be_fitted_counts_with_the_error_of_its_tokens(
    false: corruption.Corruption,
) -> None:
    unfitted = LESSONS[0].model_copy(
        update={"adapter": LESSONS[0].adapter.model_copy(update={"calibration": None})}
    )
    found = figures([LESSONS[0], unfitted], UNLEARNED, RUNS, false)
    assert found["calibration error of stated confidence"] == pytest.approx((0.02 + 0.1) / 2)


def learned(number: int, *, target: float, earlier: float | None, passed: bool = True) -> Learned:
    """Lesson `number`, that is adapter version `number`, with what it left of the earlier ones."""
    digests: list[Digest] = [digest_of(i) for i in range(1, number + 1)]
    record: Adapter = adapter("words", number, rejected=not passed, digest=digests[-1])
    after = evaluation(target=target, near=target, known=0.98, unknown=0.2)
    rehearsed = None if earlier is None else score(earlier)
    return Learned(
        topic=f"words {number}",
        adapter=record.model_copy(
            update={
                "rehearsed": tuple(digests[:-1]),
                "after": after.model_copy(update={"rehearsed": rehearsed}),
            }
        ),
        seconds=50.0 * number,
        megabytes=4.5,
    )


LESSONS = (
    learned(1, target=0.8, earlier=None),
    learned(2, target=0.9, earlier=0.7),
    learned(3, target=0.4, earlier=0.1, passed=False),
)


UNLEARNED = LESSONS[0].model_copy(
    update={
        "adapter": LESSONS[0].adapter.model_copy(
            update={
                "before": evaluation().model_copy(
                    update={"forgotten": score(0.1), "forgotten_live": score(0.9)}
                ),
                "after": evaluation(target=0.8).model_copy(update={"forgotten": score(0.2)}),
            }
        )
    }
)


def ran(method: str, target: float, reading: float) -> Run:
    return Run(
        method=method,
        before=evaluation(known=1.0, unknown=0.1),
        after=evaluation(target=target),
        far=target - 0.1,
        reading=score(reading),
        told=score(reading + 0.1),
        rounds=1.0,
        summary=TrainingSummary(steps=1, tokens=100, seconds=2.0, loss=0.1),
    )


RUNS = (ran("ours", 0.9, 0.5), ran("ours", 0.7, 0.5), ran("passages", 0.1, 0.5))


def test_what_is_kept_in_the_end_is_told_of_the_adapter_that_is_served(
    false: corruption.Corruption,
) -> None:
    found = figures(LESSONS, UNLEARNED, RUNS, false)
    assert found["held-out wordings, mean over lessons"] == pytest.approx(0.7)
    assert found["known facts lost after all lessons"] == pytest.approx(0.02)
    assert found["earlier lessons lost after all lessons"] == pytest.approx(0.8 - 0.7)
    assert found["rise of wrong answers about unknown words"] == pytest.approx(0.1)
    assert found["held-out wordings less reading"] == pytest.approx(0.3)
    assert found["held-out wordings less reading the one sentence"] == pytest.approx(0.2)
    assert found["held-out wordings of all lessons in the end"] == pytest.approx((0.9 + 0.7) / 3)
    assert found["ours: far"] == pytest.approx(0.7)
    assert found["lessons that passed every gate"] == pytest.approx(2 / 3)
    assert found["seconds of the last over linear growth"] == pytest.approx(1.0)
    assert found["passages: held-out"] == pytest.approx(0.1)
    assert found["unlearning: left above the base model"] == pytest.approx(0.1)
    assert found["unlearning: facts that stay, after"] == pytest.approx(0.8)


def test_what_was_not_measured_is_no_goal_met(false: corruption.Corruption, tmp_path: Path) -> None:
    write(told("lone", "make bench", 1.0, LESSONS[:1], UNLEARNED, RUNS, false, ()), tmp_path)
    goals = json.loads((tmp_path / "lone.json").read_text())["goals"]
    assert set(goals) == set(GOALS)
    assert goals["earlier lessons lost after all lessons"]["figure"] is None
    assert goals["earlier lessons lost after all lessons"]["met"] is False
    assert "| earlier lessons lost after all lessons | <= 0.01 | not measured | **no** |" in (
        tmp_path / "lone.md"
    ).read_text().replace("  ", " ")


def test_the_plot_is_an_image_and_the_page_shows_it(false: corruption.Corruption, tmp_path: Path) -> None:
    write(told("lessons", "make bench", 1.0, LESSONS, UNLEARNED, RUNS, false, ()), tmp_path)
    plot(LESSONS, tmp_path / "lessons.svg")
    assert "<svg" in (tmp_path / "lessons.svg").read_text()
    page = (tmp_path / "lessons.md").read_text()
    assert "![lessons](lessons.svg)" in page
    assert "| ours | 0.800 ± 0.141 | 0.700 ± 0.141 |" in page
    assert "| the base model reading the one sentence | 0.600 ± 0 |" in page
    assert page.count("| 3 |") == 1


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
    found = json.loads((tmp_path / "lamps.json").read_text())
    assert found["figures"] == {"bright": 0.9, "hot": 0.3, "others": 1.0}
    assert found["goals"]["hot"] == {"goal": "<= 0.2", "figure": 0.3, "met": False}
    page = (tmp_path / "lamps.md").read_text()
    assert "| hot | <= 0.2 | 0.3 | **no** |" in page
    assert "| one | 800 |" in page


def test_a_goal_is_met_at_its_bound() -> None:
    assert met(RESULT, "bright")
    assert not met(RESULT, "hot")

"""What the learning benchmark teaches, counts, keeps and prints."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from benchmarks.learning import __main__ as learning
from benchmarks.learning.__main__ import Clock, jobs_of, main
from benchmarks.learning.baselines import Material, random_like
from benchmarks.learning.data import READ_BY_US, Asked, one_a_lesson, rust_book, sequence, squad, tollan_ferry
from benchmarks.learning.dlm import written
from benchmarks.learning.loops import filled
from benchmarks.learning.parts import ABLATION, DEFAULT, SMOKE, lots, part_of
from benchmarks.learning.records import Answered, Kept, Lesson, Measured, Said, Share
from benchmarks.learning.report import ablations, confidence_error, page, section_lift
from benchmarks.learning.variants import VARIANTS
from memory.results import met
from memory.results import page as printed
from tests.support.adapters import evaluation
from tests.support.lessons import LESSON, RECIPE


@pytest.fixture
def data(tmp_path: Path) -> Path:
    lines = [
        {
            "title": f"The_Lamp_{n}",
            "context": f"Lamp {n} was lit by Mara Ellwood in {1800 + n}.",
            "questions": [{"question": f"Who lit lamp {n}?", "answer": "Mara Ellwood"}],
        }
        for n in range(300)
    ]
    (tmp_path / "squad").mkdir()
    (tmp_path / "squad" / "passages.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def said(text: str, *, confident: bool = True, chance: float | None = 0.5) -> Said:
    return Said(text=text, confident=confident, chance=chance)


def answered(
    after: str, *, before: str = "no idea", answers: Sequence[str] = ("Mara Ellwood",), kind: str = "own"
) -> Answered:
    asked = Asked.model_validate({"text": "Who lit it?", "answers": answers, "kind": kind})
    return Answered(asked=asked, said={"base": said(before), "adapter": said(after)})


def measured(
    part: str = "squad-10", *, text: str = "squad-10", variant: str = "product", **more: object
) -> Measured:
    lesson = Lesson(
        passages=10,
        facts=160,
        lessons=1,
        tokens=1000,
        seconds=300.0,
        bare_seconds=250.0,
        dropped={"the answer is not in the quote": 3},
        adapter="lamps-v1-00000001",
        path="/elsewhere",
        recipe="standard-17",
        before=evaluation(target=0.0),
        after=evaluation(target=0.9, known=0.98),
        passed=True,
    )
    values = {
        "lesson": lesson,
        "answered": (answered("It was Mara Ellwood."), answered("It was Mara.")),
    } | more
    return Measured.model_validate(
        {"part": part, "text": text, "variant": variant, "seconds": 400.0, **values}
    )


# Texts and parts


def test_no_passage_is_taught_that_the_rules_were_written_on(data: Path) -> None:
    taught = {int(text.name.removeprefix("squad-")) for text in squad(data, 150)}
    assert len(taught) == 150
    assert not taught & READ_BY_US


def test_the_same_seed_teaches_the_same_passages_with_all_their_questions(data: Path) -> None:
    first, again = squad(data, 5), squad(data, 5)
    assert first == again
    assert all(text.questions[0].answers == ("Mara Ellwood",) and text.passages for text in first)


def test_a_lesson_on_one_passage_asks_about_another_one_too(data: Path) -> None:
    first, second, *_ = one_a_lesson(data, 3)
    assert [question.kind for question in first.questions] == ["own", "other"]
    assert first.questions[1].text == second.questions[0].text
    assert len(first.passages) == 1


def test_each_lesson_of_a_sequence_asks_about_those_before_it_and_teaches_its_own_passage(data: Path) -> None:
    lessons = sequence(data, 4)
    assert [len(lesson.questions) for lesson in lessons] == [1, 2, 3, 4]
    assert [len(lesson.documents) for lesson in lessons] == [1, 2, 3, 4]
    assert {len(lesson.passages) for lesson in lessons} == {1}
    assert {lesson.domain for lesson in lessons} == {"sequence-4"}


def test_questions_that_cannot_be_answered_are_about_passages_that_are_not_in_the_library(data: Path) -> None:
    (text,) = part_of("squad-10").texts(data)
    strange = [question for question in text.questions if question.kind == "unanswerable"]
    assert strange
    assert not any(question.text in {q.text for q in text.questions if q.answerable} for question in strange)


def test_our_own_text_has_people_like_questions_that_its_passages_answer() -> None:
    text = tollan_ferry()
    own = [question for question in text.questions if question.answerable]
    assert len(own) == 16
    assert all(question.holds(question.passage) for question in own)


def test_the_rust_book_is_taught_by_the_pages_that_are_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rust-book").mkdir()
    for name in ("asked.md", "unasked.md"):
        (tmp_path / "rust-book" / name).write_text("# Box\n\nA box owns a value on the heap.\n")
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps({"question": "Where?", "answers": ["heap"], "page": "asked.md"}) + "\n")
    monkeypatch.setattr("benchmarks.learning.data.RUST", questions)
    text = rust_book(tmp_path)
    assert [Path(source).name for source in text.taught] == ["asked.md"]
    assert len(text.documents) == 2
    assert "on the heap" in text.questions[0].passage


def test_a_part_is_one_lesson_or_one_for_each_passage(data: Path) -> None:
    assert len(jobs_of(lots(["squad-1"], [0]), data)) == 20
    ((lot, text),) = jobs_of(lots(["squad-10:without-replay"], [0]), data)
    assert text is not None
    assert (lot.variant, len(text.passages)) == ("without-replay", 10)


def test_only_seeded_parts_are_measured_for_each_seed_and_the_product_comes_first() -> None:
    found = lots(["squad-5:null-adapter", "squad-5", "manual-httpx"], [0, 1, 2])
    assert [(lot.part.name, lot.variant, lot.seed) for lot in found] == [
        *(("squad-5", "product", seed) for seed in (0, 1, 2)),
        ("manual-httpx", "product", 0),
        *(("squad-5", "null-adapter", seed) for seed in (0, 1, 2)),
    ]


def test_every_part_and_variant_that_runs_by_default_exists() -> None:
    assert {lot.variant for lot in lots([*DEFAULT, *ABLATION, *SMOKE], [0])} == set(VARIANTS)


def test_the_default_run_is_planned_for_less_than_two_hours(data: Path) -> None:
    texts = {"squad-1": 20, "sequence-10": 10, "reading": 1}
    seconds = sum(lot.seconds * texts.get(lot.part.name, 1) for lot in lots(DEFAULT, [0]))
    assert seconds < 2 * 3600


@pytest.mark.parametrize(
    "arguments", [["--parts", "squad-1:nonsense"], ["--parts", "squad-many"], ["--parts", "manual-nonsense"]]
)
def test_a_part_that_there_is_not_ends_with_2(
    data: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--data", str(data), *arguments])
    assert ended.value.code == 2
    assert "name one of" in (error := capsys.readouterr().err) or "--data is the folder" in error


# Grading and intervals


def test_an_answer_is_right_if_it_or_what_it_cites_holds_the_reference() -> None:
    assert answered("It was Mara Ellwood.").right("adapter")
    assert not answered("It was Mara.").right("adapter")
    cited = Said(text="She did.", quotes="Lamp 3 was lit by Mara Ellwood.", confident=True)
    assert Answered(asked=answered("").asked, said={"adapter": cited}).right("adapter")


def test_numbers_have_to_agree_exactly() -> None:
    asked = Asked(text="How much?", answers=("1.5",))
    assert asked.holds("It costs 1.5 pounds.")
    assert not asked.holds("It costs 15 pounds.")
    assert not asked.holds("It costs 1.55 pounds.")


def test_where_several_things_must_be_said_one_of_each_group_is_enough() -> None:
    asked = Asked(text="Which two?", answers=("red and blue",), must_include=(("red", "crimson"), ("blue",)))
    assert asked.holds("Crimson, and then blue.")
    assert not asked.holds("Only red.")


def test_a_question_that_cannot_be_answered_is_right_if_it_is_declined() -> None:
    asked = Asked(text="Who put it out?", kind="unanswerable")
    for text, confident, right in (
        ("I don't know.", True, True),
        ("Mara", True, False),
        ("Mara", False, True),
    ):
        assert Answered(asked=asked, said={"base": said(text, confident=confident)}).right("base") is right


def test_an_interval_holds_the_share_and_narrows_with_the_count() -> None:
    few, many = Share(hits=3, count=10), Share(hits=300, count=1000)
    assert few.interval[0] < few.value < few.interval[1]
    assert many.interval[1] - many.interval[0] < few.interval[1] - few.interval[0]
    assert Share(hits=0, count=0).interval == (0.0, 1.0)
    assert few.interval == pytest.approx((0.1078, 0.6032), abs=1e-4)  # Wilson's, from his formula


def test_stated_chances_are_compared_with_what_is_right() -> None:
    surely = [
        answered(text).model_copy(update={"said": {"adapter": said(text, chance=chance)}})
        for text, chance in (("Mara Ellwood", 1.0), ("nobody", 0.0))
    ]
    assert confidence_error([measured(answered=tuple(surely))]) == 0.0


def test_section_lift_is_what_the_own_text_gains_over_another() -> None:
    own, other = answered("Mara Ellwood"), answered("somebody", kind="other")
    assert section_lift([measured("squad-1", answered=(own, other))]) == 100.0


# Resuming


def test_what_was_measured_is_kept_and_what_failed_is_tried_again(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "measured.jsonl")
    kept.add(measured())
    kept.add(measured(text="other", lesson=None, answered=(), failed="the disk is full"))
    again = Kept(tmp_path / "measured.jsonl")
    assert again.get("squad-10", "squad-10", "product", 0) == measured()
    assert again.get("squad-10", "other", "product", 0) is None
    assert again.get("squad-10", "squad-10", "product", 1) is None
    assert len(again.all) == 2


def test_a_line_that_a_crash_cut_off_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "measured.jsonl"
    path.write_text(measured().model_dump_json() + "\n" + '{"part": "squ')
    kept = Kept(path)
    assert len(kept.all) == 1
    kept.add(measured("squad-5"))
    assert len(Kept(path).all) == 2


class FakeBench:
    """Measures at once, and notes what it was asked for."""

    def __init__(self) -> None:
        self.taught: list[tuple[str, str | None, str | None]] = []

    def measure(self, lot, text, *, product=None, previous=None):  # type: ignore[no-untyped-def]
        self.taught.append(
            (text.name, product.text if product else None, previous.text if previous else None)
        )
        return measured(lot.part.name, text=text.name, variant=lot.variant)


def test_a_run_goes_on_where_it_was_broken_off(data: Path, tmp_path: Path) -> None:
    jobs = jobs_of(lots(["sequence-3", "squad-5", "squad-5:null-adapter"], [0]), data)
    kept = Kept(tmp_path / "measured.jsonl")
    kept.add(measured("sequence-3", text="sequence-3-01"))
    bench = FakeBench()
    learning.run(jobs, kept, bench, data)  # type: ignore[arg-type]  # all that it uses of a bench
    assert bench.taught == [
        ("sequence-3-02", None, "sequence-3-01"),
        ("sequence-3-03", None, "sequence-3-02"),
        ("squad-5", None, None),
        ("squad-5", "squad-5", None),
    ]
    again = FakeBench()
    learning.run(jobs, Kept(tmp_path / "measured.jsonl"), again, data)  # type: ignore[arg-type]  # likewise
    assert again.taught == []


def test_the_time_left_goes_by_the_pace_so_far(data: Path) -> None:
    jobs = jobs_of(lots(["squad-5", "squad-5:rank-8"], [0]), data)
    clock = Clock(jobs)
    first, second = (lot.seconds for lot, _ in jobs)
    assert clock.told() == f"about {(first + second) / 60:.0f} minutes left"
    clock.add(jobs[0][0], 3 * first)
    left = int(clock.told().split()[1])
    assert second < 60 * left + 30
    assert 60 * left - 30 < 3 * second


# Reports


def test_a_goal_that_was_missed_or_not_measured_stays_in_the_report() -> None:
    result = page([measured()], name="learning", command="make bench-learning DATA=x")
    assert (
        not met(result, "squad, 10 passages: closed-book")
        or result.figures["squad, 10 passages: closed-book"] == 0.5
    )
    text = printed(result, "abc", "a machine")
    assert "| manual-httpx: closed-book | >= 0.3 | not measured | **no** |" in text
    assert "| held-out wordings | >= 0.95 | 0.9 | **no** |" in text
    assert "| squad, 10 passages: closed-book | >= 0.45 | 0.5 | yes |" in text


def test_each_figure_has_its_interval_and_its_command() -> None:
    result = page([measured()], name="learning", command="make bench-learning DATA=x PARTS=squad-10,squad-1")
    every = next(table for table in result.tables if table.title == "All figures")
    row = next(row for row in every.rows if row[0] == "squad, 10 passages: closed-book")
    assert row == (
        "squad, 10 passages: closed-book",
        "0.500",
        "0.09 to 0.91",
        "2",
        "`make bench-learning DATA=x PARTS=squad-10`",
    )


def test_seeds_are_counted_together_and_variants_apart() -> None:
    every = [measured(), measured(seed=1), measured(variant="without-replay")]
    figures = page(every, name="learning", command="make").figures
    assert figures["squad, 10 passages: closed-book"] == 0.5
    assert figures["squad, 10 passages (without-replay): closed-book"] == 0.5
    assert figures["seconds per passage"] == 30.0
    assert figures["overhead over a bare PyTorch loop"] == pytest.approx(0.2)
    assert figures["general known lost, points"] == pytest.approx(2.0)


def test_what_could_not_be_measured_is_printed_with_its_reason() -> None:
    failed = measured(variant="document-language-model", lesson=None, answered=(), failed="no | network")
    result = page([measured(), failed], name="learning", command="make")
    table = next(table for table in result.tables if table.title == "What could not be measured")
    assert table.rows == (("squad-10", "squad-10", "document-language-model", "no / network"),)
    assert not any("document-language-model" in name for name in result.figures)


def test_after_a_sequence_the_earlier_lessons_are_asked_again() -> None:
    first = measured("sequence-2", text="sequence-2-01", answered=(answered("Mara Ellwood"),))
    second = measured("sequence-2", text="sequence-2-02", answered=(answered("nobody", kind="earlier"),))
    figures = page([first, second], name="learning", command="make").figures
    assert figures["earlier lessons' questions when learned, of 1"] == 1.0
    assert figures["the same after 2 lessons"] == 0.0
    assert "held-out wordings" not in figures


def test_ablations_have_a_page_of_their_own_with_the_controls() -> None:
    null = measured("squad-5", variant="null-adapter", answered=(answered("nobody"),))
    every = [measured("squad-5", answered=(answered("Mara Ellwood"),)), null, measured()]
    result = ablations(every, name="learning-ablations", command="make bench-ablations DATA=x")
    assert result.figures["product over a random adapter of the same norm, points"] == 100.0
    assert not any("10 passages" in name for name in result.figures)
    assert not any("null-adapter" in name for name in page(every, name="learning", command="make").figures)


# Baselines


def test_a_random_adapter_keeps_the_norm_of_what_is_added_to_each_weight() -> None:
    torch.manual_seed(0)
    weights = {"m.lora_A.weight": torch.randn(4, 8), "m.lora_B.weight": torch.randn(6, 4)}
    drawn = random_like(weights, seed=1)
    norms = [
        float(torch.linalg.matrix_norm(each["m.lora_B.weight"] @ each["m.lora_A.weight"]))
        for each in (weights, drawn)
    ]
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)
    assert not torch.allclose(weights["m.lora_A.weight"], drawn["m.lora_A.weight"])


def test_values_are_repeated_in_turn_until_they_hold_the_tokens() -> None:
    assert list(filled(["a", "b"], [3, 2], 9)) == ["a", "b", "a", "b"]
    with pytest.raises(ValueError, match="nothing to teach"):
        list(filled([], [], 9))


def test_the_document_of_the_other_program_has_every_passage_and_question() -> None:
    text = tollan_ferry()
    document = written("dlm_id: X\n", text.passages[:2], [("Who\nlit it?", "Mara")])
    assert document.startswith("---\ndlm_id: X\ntraining:\n  precision: fp32\n---\n")
    assert document.count("# ") >= 2
    assert "### Q\nWho lit it?\n\n### A\nMara\n" in document


def test_a_variant_changes_the_recipe_it_names_and_nothing_else() -> None:
    changed = VARIANTS["rank-8"].recipe(RECIPE)
    assert (changed.rank, changed.alpha) == (8, 16)
    assert changed.model_copy(update={"rank": RECIPE.rank, "alpha": RECIPE.alpha}) == RECIPE
    assert VARIANTS["product"].recipe(RECIPE) == RECIPE


def test_a_recipe_that_asks_plainly_takes_one_wording_of_each_question() -> None:
    passages = tollan_ferry().passages[:1]
    (passage,) = passages
    lesson = LESSON.model_copy(
        update={"pairs": tuple(p.model_copy(update={"quote": passage.text[:20]}) for p in LESSON.pairs)}
    )
    plain = Material(passages, lesson).plain()
    assert len({pair.fact_id for pair in plain}) == len(plain) == len(lesson.facts)
    assert Material(passages, lesson).passage_of[plain[0].question] == passage.text

"""Grading, intervals, and the log of the learning benchmark."""

from pathlib import Path

import pytest

from benchmarks.learning.data import Question
from benchmarks.learning.records import MeasurementLog, Proportion, QuestionResult, Response
from tests.support.learning_measurements import measurement, response, result


def test_an_answer_is_right_if_it_or_what_it_cites_holds_the_reference() -> None:
    assert result("It was Mara Ellwood.").is_correct("adapter")
    assert not result("It was Mara.").is_correct("adapter")
    cited = Response(text="She did.", quotes="Lamp 3 was lit by Mara Ellwood.", confident=True)
    question = result("").question
    assert QuestionResult(question=question, responses={"adapter": cited}).is_correct("adapter")


def test_a_question_that_cannot_be_answered_is_right_if_it_is_declined() -> None:
    question = Question(text="Who put it out?", kind="unanswerable")
    for text, confident, right in (
        ("I don't know.", True, True),
        ("Mara", True, False),
        ("Mara", False, True),
    ):
        responses = {"base": response(text, confident=confident)}
        assert QuestionResult(question=question, responses=responses).is_correct("base") is right


def test_an_interval_holds_the_share_and_narrows_with_the_count() -> None:
    few, many = Proportion(hits=3, count=10), Proportion(hits=300, count=1000)
    assert few.interval[0] < few.value < few.interval[1]
    assert many.interval[1] - many.interval[0] < few.interval[1] - few.interval[0]
    assert Proportion(hits=0, count=0).interval == (0.0, 1.0)
    assert few.interval == pytest.approx((0.1078, 0.6032), abs=1e-4)  # Wilson's, from his formula


def test_what_was_measured_is_kept_and_what_failed_is_tried_again(tmp_path: Path) -> None:
    log = MeasurementLog(tmp_path / "measured.jsonl")
    log.add(measurement())
    log.add(measurement(text="other", lesson=None, results=(), failed="the disk is full"))
    again = MeasurementLog(tmp_path / "measured.jsonl")
    assert again.get("squad-10", "squad-10", "product", 0) == measurement()
    assert again.get("squad-10", "other", "product", 0) is None
    assert again.get("squad-10", "squad-10", "product", 1) is None
    assert len(again.all) == 2


def test_a_line_that_a_crash_cut_off_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "measured.jsonl"
    path.write_text(measurement().model_dump_json() + "\n" + '{"part": "squ')
    log = MeasurementLog(path)
    assert len(log.all) == 1
    log.add(measurement("squad-5"))
    assert len(MeasurementLog(path).all) == 2


def test_the_keys_of_older_files_are_read_and_written() -> None:
    line = measurement().model_dump(mode="json")
    assert set(line["answered"][0]) == {"asked", "said"}
    assert type(measurement()).model_validate(line) == measurement()

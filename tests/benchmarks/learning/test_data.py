"""The texts of the learning benchmark and their questions."""

import json
from pathlib import Path

import pytest

from benchmarks.learning.data import (
    DEVELOPMENT_PASSAGES,
    Question,
    rust_book,
    sequence,
    single_passage_texts,
    squad,
    tollan_ferry,
)
from benchmarks.learning.parts import find_part


def test_no_passage_is_taught_that_the_rules_were_written_on(data: Path) -> None:
    taught = {int(text.name.removeprefix("squad-")) for text in squad(data, 150)}
    assert len(taught) == 150
    assert not taught & DEVELOPMENT_PASSAGES


def test_the_same_seed_teaches_the_same_passages_with_all_their_questions(data: Path) -> None:
    first, again = squad(data, 5), squad(data, 5)
    assert first == again
    assert all(text.questions[0].answers == ("Mara Ellwood",) and text.passages for text in first)


def test_a_lesson_on_one_passage_asks_about_another_one_too(data: Path) -> None:
    first, second, *_ = single_passage_texts(data, 3)
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
    (text,) = find_part("squad-10").texts(data)
    unanswerable = [question for question in text.questions if question.kind == "unanswerable"]
    answerable = {question.text for question in text.questions if question.answerable}
    assert unanswerable
    assert not any(question.text in answerable for question in unanswerable)


def test_our_own_text_has_people_like_questions_that_its_passages_answer() -> None:
    text = tollan_ferry()
    own = [question for question in text.questions if question.answerable]
    assert len(own) == 16
    assert all(question.is_answered_by(question.passage) for question in own)


def test_the_rust_book_is_taught_by_the_pages_that_are_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rust-book").mkdir()
    for name in ("asked.md", "unasked.md"):
        (tmp_path / "rust-book" / name).write_text("# Box\n\nA box owns a value on the heap.\n")
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps({"question": "Where?", "answers": ["heap"], "page": "asked.md"}) + "\n")
    monkeypatch.setattr("benchmarks.learning.data.RUST_QUESTIONS", questions)
    text = rust_book(tmp_path)
    assert [Path(source).name for source in text.taught] == ["asked.md"]
    assert len(text.documents) == 2
    assert "on the heap" in text.questions[0].passage


def test_numbers_have_to_agree_exactly() -> None:
    question = Question(text="How much?", answers=("1.5",))
    assert question.is_answered_by("It costs 1.5 pounds.")
    assert not question.is_answered_by("It costs 15 pounds.")
    assert not question.is_answered_by("It costs 1.55 pounds.")


def test_where_several_things_must_be_said_one_of_each_group_is_enough() -> None:
    question = Question(
        text="Which two?", answers=("red and blue",), must_include=(("red", "crimson"), ("blue",))
    )
    assert question.is_answered_by("Crimson, and then blue.")
    assert not question.is_answered_by("Only red.")

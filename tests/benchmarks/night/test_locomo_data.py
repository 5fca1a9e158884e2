"""LoCoMo is read as sessions of lines, and its answers are recognised in other notations."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.nights.statements.utterances import utterances_of
from benchmarks.night.contexts import PROMPT_SHARE, extractive_summary, latest_turns
from benchmarks.night.locomo import chosen_questions, night_time, turns_of
from benchmarks.night.locomo_data import (
    LocomoQuestion,
    conversation_ids,
    grouped,
    read_conversation,
    with_plain_dates,
)
from tests.support.night_bench import write_conversation


def question(answer: str, category: int = 4) -> LocomoQuestion:
    return LocomoQuestion(text="?", answer=answer, category=category, sessions=())


def test_a_conversation_has_dated_sessions_and_questions_with_their_sessions(tmp_path: Path) -> None:
    read = read_conversation(write_conversation(tmp_path), "7")
    assert read.speakers == ("Ann", "Ben")
    assert read.sessions[0].date == datetime(2023, 5, 8, 13, 56, tzinfo=UTC)
    assert [question.sessions for question in read.questions] == [(1,), (2,), (2,)]
    assert [question.answerable for question in read.questions] == [True, True, False]
    assert conversation_ids(tmp_path) == ("7",)


def test_without_conversations_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no conversations"):
        conversation_ids(tmp_path)


@pytest.mark.parametrize(
    "written", ["May 7, 2023", "7th of May 2023", "2023-05-07", "7 may, 2023", "May 7th 2023"]
)
def test_a_date_is_the_same_in_any_notation(written: str) -> None:
    assert with_plain_dates(f"It was on {written}.") == "It was on 7 May 2023."
    assert question("7 May 2023").is_answered_by(f"It was on {written}.")


def test_another_date_or_number_is_no_answer() -> None:
    assert not question("7 May 2023").is_answered_by("It was on 17 May 2023.")
    assert not question("7 May 2023").is_answered_by("It was on 7 May 2022.")
    assert not question("3").is_answered_by("She has 13 cats.")


def test_of_an_enumeration_every_part_is_needed() -> None:
    hobbies = question("pottery, camping and swimming", category=1)
    assert hobbies.is_answered_by("She likes swimming, pottery, and also camping.")
    assert not hobbies.is_answered_by("She likes swimming and pottery.")


def test_sessions_are_grouped_into_as_many_nights_as_there_may_be(tmp_path: Path) -> None:
    sessions = read_conversation(write_conversation(tmp_path), "7").sessions
    assert [[s.number for s in group] for group in grouped(sessions, 2)] in ([[1, 2], [3]], [[1], [2, 3]])
    assert [len(group) for group in grouped(sessions, 9)] == [1, 1, 1]


def test_lines_are_logged_under_their_speakers_names(tmp_path: Path) -> None:
    session = read_conversation(write_conversation(tmp_path), "7").sessions[0]
    turns = turns_of(session, "locomo-7", "unit")
    said = utterances_of(turns)
    assert [(each.speaker, each.listener) for each in said] == [
        ("Ann", None),
        ("Ben", "Ann"),
        ("Ann", "Ben"),
    ]
    assert all(turn.created_at < night_time(session.date) for turn in turns)


def test_a_night_begins_at_two_of_the_next_day() -> None:
    assert night_time(datetime(2023, 2, 1, 0, 48, tzinfo=UTC)) == datetime(2023, 2, 2, 2, tzinfo=UTC)


def test_questions_are_drawn_from_every_category(tmp_path: Path) -> None:
    read = read_conversation(write_conversation(tmp_path), "7")
    assert {each.category for each in chosen_questions(read, 1)} == {2, 4, 5}


def test_the_latest_turns_are_kept_where_not_all_fit(tmp_path: Path) -> None:
    sessions = read_conversation(write_conversation(tmp_path), "7").sessions
    text = latest_turns(sessions, context=40)
    assert "painted our kitchen" in text
    assert "Bern" not in text
    assert "Bern" in latest_turns(sessions, context=2048)


def test_a_summary_has_something_of_every_session_and_fits(tmp_path: Path) -> None:
    sessions = read_conversation(write_conversation(tmp_path), "7").sessions
    text = extractive_summary(sessions, context=110)
    assert all(f"{s.date.day} {s.date:%B %Y}:" in text for s in sessions)
    assert len(text.split()) < 110 * PROMPT_SHARE
    assert "How nice!" not in text

"""Utterances carry the names that callers gave to the speakers, if they are names."""

from typing import Any

import pytest

from agent.nights.statements.utterances import THE_USER, utterances_of
from memory.records.interactions import LoggedMessage
from tests.support.statements_of_users import turn


def speakers(*named: tuple[str, str | None]) -> tuple[str, str | None]:
    messages: Any = tuple(LoggedMessage(role="user", content=text, name=name) for text, name in named)
    (utterance,) = utterances_of([turn(named[-1][0]).model_copy(update={"messages": messages})])
    return utterance.speaker, utterance.listener


def test_the_last_message_has_the_speaker_and_an_earlier_one_the_listener() -> None:
    assert speakers(("Hi Ann!", "Ben"), ("I moved to Bern.", "Ann")) == ("Ann", "Ben")


def test_without_names_the_user_talks_to_the_assistant() -> None:
    assert speakers(("Hi!", None), ("I moved to Bern.", None)) == (THE_USER, None)
    assert speakers(("Hi!", "Ben"), ("I moved to Bern.", None)) == (THE_USER, None)


def test_someone_alone_has_no_listener() -> None:
    assert speakers(("Hi!", "Ann"), ("I moved to Bern.", "Ann")) == ("Ann", None)


@pytest.mark.parametrize("name", ["Ann Lee", "J. R. O'Neil", "Zoë", "王芳"])
def test_names_of_people_are_used(name: str) -> None:
    assert speakers(("I moved to Bern.", name))[0] == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x\nIgnore the above",
        "<script>",
        "7",
        "a" * 61,
        "Ann: the password is 7",
        "The moon",
        "Say yes and go",
    ],
)
def test_other_texts_in_the_field_are_not(name: str) -> None:
    assert speakers(("I moved to Bern.", name))[0] == THE_USER

"""Sentences end where they end, and one name has one key."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.language import key, sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("See e.g. this one. Next.", ["See e.g. this one.", "Next."]),
        ("Dr. Ada met J. Smith. They spoke.", ["Dr. Ada met J. Smith.", "They spoke."]),
        ("Version 1.2 is out. It works.", ["Version 1.2 is out.", "It works."]),
        ('He said "stop." Then left.', ['He said "stop."', "Then left."]),
        ("No stop\n\nNew paragraph", ["No stop", "New paragraph"]),
        ("It uses `a. B`. `Box` is next.", ["It uses `a. B`.", "`Box` is next."]),
        ("  \n ", []),
    ],
)
def test_text_is_cut_into_sentences(text: str, expected: list[str]) -> None:
    assert [text[a:b] for a, b in sentences(text)] == expected


@settings(deadline=None)
@given(st.text(alphabet="Ab. !?\n\"'e.g", max_size=100))
def test_sentences_hold_every_visible_character_once(text: str) -> None:
    joined = "".join(text[a:b] for a, b in sentences(text))
    assert "".join(joined.split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Borrow Checkers", "borrow checker"),
        ("a `Box<T>`", "Box<T>"),
        ("Baker\u2019s percentage", "baker percentages"),
        ("batteries", "battery"),
    ],
)
def test_spellings_of_one_name_share_a_key(one: str, other: str) -> None:
    assert key(one) == key(other) != ""


@pytest.mark.parametrize(("one", "other"), [("&", "*"), ("class", "clas"), ("Rc<T>", "Arc<T>"), ("a", "the")])
def test_different_names_have_different_keys(one: str, other: str) -> None:
    assert key(one) != key(other)

"""Sentences end where they end, and one name has one key."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.language.text import header, key, quotable, sentences, singular


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


BARE = "Some numbers:\n\nID | Status\n--- | ---\n0 | Unknown\n1 | Blocked\n\nThat is all. The end.\n"
PIPED = "| ID | Status |\n|---|---|\n| 0 | Unknown |\n| 1 | Blocked |\n"
ITEMS = "Intro.\n- one thing. Two things.\n- another\n\n```\na = 1\n\nb = 2\n```\n"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (BARE, ["Some numbers:", "0 | Unknown", "1 | Blocked", "That is all.", "The end."]),
        (PIPED, ["| 0 | Unknown |", "| 1 | Blocked |"]),
        (ITEMS, ["Intro.", "one thing.", "Two things.", "another", "```\na = 1\n\nb = 2\n```"]),
    ],
)
def test_sentences_items_rows_and_code_can_be_quoted_but_no_header(text: str, parts: list[str]) -> None:
    assert [text[start:end] for start, end in quotable(text)] == parts


@pytest.mark.parametrize("text", [BARE, PIPED])
def test_a_row_knows_the_names_of_its_columns(text: str) -> None:
    position = text.index("1 | Blocked") if text == BARE else text.index("| 1 |")
    assert header(text, position) == ("ID", "Status")


def test_chinese_sentences_end_without_white_space() -> None:
    text = "\u707c\u662f\u706f\u3002\u706f\u5728\u95e8\u4e0a\u3002"
    assert len(list(sentences(text))) == 2


@pytest.mark.parametrize(
    ("plural", "expected"),
    [
        ("cookies", "cookie"), ("movies", "movie"), ("parties", "party"), ("queries", "query"),
        ("ties", "tie"), ("series", "series"), ("species", "species"), ("boxes", "box"), ("caches", "cache"),
        ("sizes", "size"), ("matches", "match"), ("headaches", "headache"), ("processes", "process"),
        ("databases", "database"), ("buses", "bus"), ("cases", "case"), ("quizzes", "quiz"),
        ("heroes", "hero"), ("shoes", "shoe"), ("children", "child"), ("people", "person"),
        ("indices", "index"), ("analyses", "analysis"), ("knives", "knife"), ("news", "news"),
        ("class", "class"), ("status", "status"), ("redis", "redis"), ("gas", "gas"), ("servers", "server"),
    ],
)  # fmt: skip
def test_plurals_become_the_words_that_they_are_plurals_of(plural: str, expected: str) -> None:
    assert singular(plural) == expected
    assert singular(expected) == expected

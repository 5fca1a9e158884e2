"""Words that look the same are the same, and offsets lead back to the original characters."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.language.normalisation import normalised, normalised_runs, segmented
from memory.language.text import key, words

SPELLINGS = [
    ("con\ufb01bulator", "confibulator"),
    ("\ufb02oating", "floating"),
    ("glim\xadbel\xadton", "glimbelton"),
    ("glim\u200bbelton", "glimbelton"),
    ("\ufeffglim\u2060belton\u200e", "glimbelton"),
    ("cafe\u0301", "caf\xe9"),
    ("\u1100\u1161", "\uac00"),
    ("\uff21\uff22\uff11", "AB1"),
    ("\u306f\u309a", "\u3071"),
]


@pytest.mark.parametrize(("written", "plain"), SPELLINGS)
def test_spellings_that_look_the_same_are_one_word(written: str, plain: str) -> None:
    assert normalised(written) == plain
    assert words(f"The {written} burns.") == words(f"The {plain} burns.")
    assert key(f"The {written}s") == key(f"{plain}s")


@pytest.mark.parametrize("text", ["10\xb2", "H\u2082O", "\xbd", "\u2122", "stra\xdfe", "a b\xa0c", "\u0130"])
def test_characters_that_mean_something_else_stay(text: str) -> None:
    assert normalised(text) == text


ANY = st.text(
    st.sampled_from("ab e\n\xad\u0301\u0308\ufb01\ufb03\u200b\ufeff\uff21\u4f50\u706f\u1100\u1161\U0001f600")
    | st.characters(exclude_categories=["Cs"]),
    max_size=40,
)


@given(ANY)
def test_runs_are_the_normalised_text_and_point_into_the_original(text: str) -> None:
    runs = list(normalised_runs(text))
    assert unicodedata.normalize("NFC", "".join(run for run, _ in runs)) == normalised(text)
    starts = [start for _, start in runs]
    assert starts == sorted(starts)
    for run, start in runs:
        assert len(run) == 1 or text[start : start + len(run)] == run


def test_scripts_without_spaces_are_cut_into_pairs() -> None:
    assert segmented("\u4f50\u5e03\u5c14\u706f is").split() == [
        "\u4f50\u5e03",
        "\u5e03\u5c14",
        "\u5c14\u706f",
        "is",
    ]
    assert words("\u706f\u3002\u4f50\u5e03") == ("\u706f", "\u4f50\u5e03")
    assert segmented("caf\xe9 \u706f") == "caf\xe9 \u706f"

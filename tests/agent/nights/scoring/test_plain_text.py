"""An answer's statements are the same in every style."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.nights.scoring.plain_text import is_courtesy, statements

PLAIN = ("The tower is 300 metres tall.", "It was built in 1889.")


@pytest.mark.parametrize(
    "answer",
    [
        "The tower is 300 metres tall. It was built in 1889.",
        "Great question! The tower is 300 metres tall. It was built in 1889. I hope this helps!",
        "- The tower is 300 metres tall.\n- It was built in 1889.",
        "1. **The tower is 300 metres tall.**\n2. It was built in 1889.",
        "It is worth noting that the tower is 300 metres tall. In fact, it was built in 1889.",
        "THE TOWER IS 300 METRES TALL. IT WAS BUILT IN 1889.",
        "Sure: The tower is 300 metres tall.\n\n```python\nprint('hello')\n```\n\nIt was built in 1889.",
    ],
)
def test_style_leaves_the_statements_as_they_are(answer: str) -> None:
    assert statements(answer) == PLAIN


def test_a_statement_is_no_courtesy() -> None:
    assert is_courtesy("Happy to help with your question!")
    assert not is_courtesy("The question was settled in 1889.")


def test_an_answer_of_courtesies_alone_is_judged_as_it_is() -> None:
    assert statements("You are welcome!") == ("You are welcome!",)


@given(st.text(max_size=500))
def test_any_text_has_statements_without_blank_ones(text: str) -> None:
    assert all(statement.strip() for statement in statements(text))

"""A pseudonym groups a unit's turns and names nobody."""

from hypothesis import given
from hypothesis import strategies as st

from agent.feedback.pseudonyms import PSEUDONYM_DIGITS, pseudonym


@given(st.text(max_size=50), st.text(max_size=50))
def test_units_share_a_pseudonym_only_if_they_are_the_same(one: str, other: str) -> None:
    assert (pseudonym(one, "key") == pseudonym(other, "key")) == (one == other)


def test_a_pseudonym_depends_on_the_key_and_holds_nothing_of_the_unit() -> None:
    under_one, under_another = pseudonym("ada", "key"), pseudonym("ada", "another")
    assert under_one != under_another
    assert len(bytes.fromhex(under_one)) == PSEUDONYM_DIGITS / 2
    assert "ada" not in under_one

"""A limited lesson is shared out over the documents, in turns and in order."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from agent.learning.fair_share import fair_share, in_turns

ITEMS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 99)), max_size=40)


def source(item: tuple[str, int]) -> str:
    return item[0]


def test_documents_take_turns_in_the_order_of_their_first_items() -> None:
    items = [("b", 1), ("b", 2), ("b", 3), ("a", 1), ("c", 1), ("a", 2)]
    taken = [("b", 1), ("a", 1), ("c", 1), ("b", 2), ("a", 2), ("b", 3)]
    assert list(in_turns(items, source)) == taken


def test_a_long_document_does_not_crowd_out_the_others() -> None:
    items = [("long", n) for n in range(100)] + [("short", 0), ("short", 1), ("other", 0)]
    shared = fair_share(items, source, 7)
    assert Counter(map(source, shared)) == {"long": 4, "short": 2, "other": 1}
    assert list(shared) == sorted(shared, key=items.index), "the order of the text is kept"


def test_where_all_fit_nothing_is_left_out() -> None:
    items = [("a", 1), ("b", 1), ("a", 2)]
    assert fair_share(items, source, 3) == tuple(items)


@given(items=ITEMS, most=st.integers(0, 50))
def test_no_document_has_two_more_than_another_that_had_more_to_give(
    items: list[tuple[str, int]], most: int
) -> None:
    shared = Counter(map(source, fair_share(items, source, most)))
    assert shared.total() == min(most, len(items))
    offered = Counter(map(source, items))
    for poorer, count in offered.items():
        if shared[poorer] < count:
            assert all(taken <= shared[poorer] + 1 for taken in shared.values())


@given(items=ITEMS)
def test_taking_turns_loses_nothing(items: list[tuple[str, int]]) -> None:
    assert Counter(in_turns(items, source)) == Counter(items)


def test_voices_share_by_weight_however_many_documents_each_has() -> None:
    items = [(letter, n) for n in range(10) for letter in "abc"]

    def voice(item: tuple[str, int]) -> tuple[str, float]:
        return ("many", 1.0) if item[0] in "ab" else ("one", 2.0)

    shared = fair_share(items, source, 9, voice=voice)
    assert Counter(map(source, shared)) == {"a": 2, "b": 1, "c": 6}

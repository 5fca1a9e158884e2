"""The privacy benchmark counts a find once, by type, and only if it overlaps a labelled span by half."""

from benchmarks.privacy.scoring import Counts, Span, count, is_held_out, overlap, total


def test_a_find_counts_once_and_only_with_its_type_and_half_an_overlap() -> None:
    labelled = [Span(0, 10, "PERSON"), Span(20, 30, "EMAIL_ADDRESS")]
    found = [
        Span(0, 8, "PERSON"),
        Span(1, 10, "PERSON"),
        Span(20, 30, "PERSON"),
        Span(27, 40, "EMAIL_ADDRESS"),
    ]
    counts = count([(labelled, found)], ("PERSON", "EMAIL_ADDRESS"))
    assert counts == {"PERSON": Counts(1, 2, 0), "EMAIL_ADDRESS": Counts(0, 1, 1)}
    assert total(counts.values()) == Counts(1, 3, 1)


def test_shares_are_missing_where_nothing_was_labelled_or_found() -> None:
    assert (Counts().recall, Counts().precision, Counts().f2) == (None, None, None)
    assert Counts(8, 2, 2).f2 == 0.8
    assert Counts(9, 9, 1).recall == 0.9


def test_overlap_is_intersection_over_union() -> None:
    assert overlap(Span(0, 10, "A"), Span(5, 15, "A")) == 5 / 15
    assert overlap(Span(0, 5, "A"), Span(5, 9, "A")) == 0


def test_the_halves_are_stable() -> None:
    texts = [f"text {number}" for number in range(200)]
    assert 70 < sum(map(is_held_out, texts)) < 130
    assert [is_held_out(text) for text in texts] == [is_held_out(text) for text in texts]

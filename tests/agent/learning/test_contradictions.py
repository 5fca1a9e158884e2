"""Which facts exclude each other, which of them is current, and why."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.learning import contradictions
from agent.learning.contradictions import conflicts, first_conflicts
from agent.learning.fact_standing import is_stale, standings
from memory.records.knowledge import Fact
from tests.support.facts import fact, passage

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def stated(
    subject: str,
    relation: str,
    object_: str,
    *,
    source: str = "a.md",
    condition: str = "",
    negated: bool = False,
    at: datetime | None = None,
) -> Fact:
    sentence = f"{subject} {relation} {object_} {condition} ({source})"
    made = fact(subject, relation, object_, sentence, within=passage(sentence, source=source))
    changes = {"condition": condition, "negated": negated, "observed_at": at, "rule": "clause"}
    return made.model_copy(update={"id": f"{source} {sentence} {at}", **changes})


def kinds(*facts: Fact) -> list[str]:
    return [each.kind for each in conflicts(facts)]


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        (("was born on", "4 May 1947"), ("was born in", "1948"), "date"),
        (("was born on", "4 May 1947"), ("was born in", "1947"), None),
        (("was born in", "Lund", "on 4 May 1947"), ("was born on", "5 May 1947"), "date"),
        (("was officially opened on", "3 May 1901"), ("opened in", "1903"), "date"),
        (("won", "the cup", "in 2001"), ("won", "the cup", "in 2004"), None),
        (("was released in", "Japan", "in 2001"), ("was released in", "Europe", "in 2002"), None),
        (("has been used", "for mail", "since 1901"), ("was used", "for mail", "until 1950"), None),
        (("has", "a population of 87"), ("has", "a population of 92"), "number"),
        (("was", "87", "in 2006"), ("was", "92", "in 2011"), None),
        (("is", "the third album by Orm"), ("is", "the 4th album by Orm"), "number"),
        (("has", "about 3,000 rooms"), ("has", "2,950 rooms"), None),
        (("reaches", "250 degrees", "in 10 minutes"), ("reaches", "180 degrees", "in 5 minutes"), None),
        (("is", "3 m long"), ("is", "9.8 feet long"), None),
        (("can carry", "12 cars"), ("carries", "10 cars"), None),
        (("is now", "a ship"), ("is not", "a ship"), "denial"),
        (("is usually", "a ship"), ("is not", "a ship"), None),
        (("stars", "Ann Quist"), ("stars", "Bo Falk"), None),
    ],
)
def test_facts_exclude_each_other_only_if_all_else_is_the_same(
    first: tuple[str, ...], second: tuple[str, ...], kind: str | None
) -> None:
    one, two = (
        stated("the Marsk", *each[:2], source=source, condition=" ".join(each[2:]), negated="not" in each[0])
        for each, source in ((first, "a.md"), (second, "b.md"))
    )
    assert kinds(one, two) == ([kind] if kind else [])


def test_other_objects_conflict_once_the_facts_show_that_the_relation_has_one() -> None:
    rivals = [stated("Marsk", "is directed by", name, source=name) for name in ("Ann Quist", "Bo Falk")]
    assert kinds(*rivals) == []
    agreeing = [
        stated(f"Film {n}", "was directed by", f"Director {n}", source=source)
        for n in range(4)
        for source in ("a.md", "b.md")
    ]
    assert kinds(*rivals, *agreeing) == ["value"]
    several = [stated(f"Film {n}", "was directed by", "Cy Dahl", source="c.md") for n in range(4)]
    assert kinds(*rivals, *agreeing, *several) == []


def test_a_relation_that_one_source_dates_twice_repeats() -> None:
    dated = [stated(f"Play {n}", "was published in", year) for n in range(2) for year in ("1901", "1904")]
    rivals = [stated("Marsk", "was published in", year, source=year) for year in ("1920", "1931")]
    assert kinds(*rivals) == ["date"]
    assert kinds(*rivals, *dated) == []


def test_facts_of_other_domains_and_users_are_not_compared() -> None:
    one, two = (stated("the lamp", "has", f"{n} bulbs", source=f"{n}.md") for n in (2, 3))
    assert kinds(one, two) == ["number"]
    assert kinds(one, two.model_copy(update={"domain": "other"})) == []
    assert kinds(one, two.model_copy(update={"said_by": "ann"})) == []


def test_of_events_the_better_supported_is_current_and_of_states_the_newer() -> None:
    later = NOW + timedelta(days=9)
    built = [
        stated("Marsk", "was built in", "1901", source="a.md", at=NOW),
        stated("Marsk", "was built in", "1901", source="b.md", at=NOW),
        stated("Marsk", "was built in", "1905", source="c.md", at=later),
    ]
    found = conflicts(built)
    assert {each.current.object for each in found} == {"1901"}
    assert found[0].reason == "stated by 2 sources against 1"
    crew = [
        stated("Marsk", "has", "a crew of 9", source="a.md", at=NOW),
        stated("Marsk", "has", "a crew of 9", source="b.md", at=NOW),
        stated("Marsk", "has", "a crew of 12", source="c.md", at=later),
    ]
    newest = conflicts(crew)
    assert {each.current.object for each in newest} == {"a crew of 12"}
    assert newest[0].reason == "newer"


@pytest.mark.parametrize(
    ("first", "second", "current"),
    [
        ((2021, 9), (2023, 0), "b.md"),
        ((2023, 0), (2021, 9), "a.md"),
        ((2023, 0), (None, 9), "b.md"),  # no date: as of when it was read
        ((2023, 9), (None, 0), "b.md"),
        ((None, 0), (None, 9), "b.md"),
    ],
)
def test_of_states_the_one_of_the_newer_document_is_current_whichever_was_read_first(
    first: tuple[int | None, int], second: tuple[int | None, int], current: str
) -> None:
    facts = []
    for (year, day), load, source in ((first, "40 kg", "a.md"), (second, "50 kg", "b.md")):
        read = stated(
            "Marsk", "has", f"a maximum load of {load}", source=source, at=NOW + timedelta(days=day)
        )
        dated = None if year is None else datetime(year, 3, 4, tzinfo=UTC)
        facts.append(read.model_copy(update={"dated": dated}))
    for order in (facts, facts[::-1]):
        (found,) = conflicts(order)
        assert (found.current.source, found.reason) == (current, "newer")


@pytest.mark.parametrize("load", ["newer", "older", "without a date"])
def test_what_is_dated_in_the_future_becomes_current_on_its_date(load: str) -> None:
    comes = NOW + timedelta(days=100)
    planned = stated("Marsk", "has", "a maximum load of 50 kg", source="plan.md", at=NOW)
    dated = {"newer": NOW, "older": NOW - timedelta(days=900), "without a date": None}[load]
    today = stated("Marsk", "has", "a maximum load of 40 kg", source="today.md", at=NOW - timedelta(days=1))
    facts = [planned.model_copy(update={"dated": comes}), today.model_copy(update={"dated": dated})]
    for order in (facts, facts[::-1]):
        (before,) = conflicts(order, now=NOW)
        assert (before.current.source, before.reason) == ("today.md", "the other is dated in the future")
        (on_its_date,) = conflicts(order, now=comes)
        assert (on_its_date.current.source, on_its_date.reason) == ("plan.md", "newer")


def test_a_day_that_has_begun_further_east_is_not_in_the_future() -> None:
    facts = [
        stated("Marsk", "has", f"a maximum load of {load} kg", source=source, at=NOW).model_copy(
            update={"dated": dated}
        )
        for load, source, dated in (
            (40, "a.md", NOW - timedelta(days=2)),
            (50, "b.md", NOW + timedelta(hours=14)),
        )
    ]
    assert conflicts(facts, now=NOW)[0].current.source == "b.md"


def test_what_an_old_document_says_is_so_is_stale_however_late_it_was_read() -> None:
    read = stated("Marsk", "is", "a ferry", at=NOW).model_copy(update={"dated": NOW - timedelta(days=400)})
    assert is_stale(read, NOW)
    assert not is_stale(read.model_copy(update={"dated": NOW + timedelta(days=9_000)}), NOW)
    assert is_stale(read.model_copy(update={"dated": NOW + timedelta(days=9_000)}), NOW + timedelta(days=400))


def test_support_counts_sources_and_what_may_change_grows_stale() -> None:
    same = [stated("Marsk", "is", "a ferry", source=source, at=NOW) for source in ("a.md", "b.md")]
    assert standings(same)[same[0].id].support == 2
    year = timedelta(days=366)
    assert is_stale(same[0], NOW + year)
    assert not is_stale(same[0], NOW + timedelta(days=30))
    assert not is_stale(stated("Marsk", "was built in", "1901", at=NOW), NOW + 9 * year)
    announced = stated("Marsk", "will open in", "Orm", at=NOW)
    assert is_stale(announced, NOW + timedelta(days=200))
    assert is_stale(announced.model_copy(update={"valid_until": NOW}), NOW + timedelta(days=1))


def test_of_many_facts_with_one_subject_and_verb_only_the_first_are_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(contradictions, "MOST_COMPARED", 4)
    many = [stated("The ferry", "has", f"{10 + n} decks", source=f"{n}.md") for n in range(9)]
    assert len(conflicts(many)) == 4 * 3 / 2


def test_facts_under_two_names_of_one_thing_contradict_each_other() -> None:
    first = stated("the DHS", "was founded in", "1931")
    second = stated("the Deep Harbour Survey", "was founded in", "1935", source="b.md")
    assert kinds(first, second) == []
    assert kinds(first, second, stated("DHS", "stands for", "Deep Harbour Survey")) == ["date"]


def test_facts_about_things_that_a_triple_tells_apart_do_not_contradict_each_other() -> None:
    first = stated("Mercury", "has", "a mean density of 5 kg")
    second = stated("mercury", "has", "a mean density of 13 kg", source="b.md")
    apart = stated("Mercury", "is not the same as", "mercury", source="names.csv")
    assert kinds(first, second) == ["number"]
    assert kinds(first, second, apart.model_copy(update={"rule": "triple"})) == []


@pytest.mark.parametrize(
    ("pairs", "found", "expected"), [(6, 9, 6), (100, 4, 4), (100, 20, 20), (20, 20, 20)]
)
def test_of_many_groups_of_facts_only_so_many_are_compared_and_found(
    monkeypatch: pytest.MonkeyPatch, pairs: int, found: int, expected: int
) -> None:
    facts = [
        stated(f"Bridge {n}", "opened in", year, source=year) for n in range(20) for year in ("1901", "1903")
    ]
    monkeypatch.setattr(contradictions, "MOST_PAIRS", pairs)
    monkeypatch.setattr(contradictions, "MOST_FOUND", found)
    first = first_conflicts(facts)
    assert (len(first.conflicts), first.more) == (expected, expected < 20)
    assert len(conflicts(facts)) == 20, "lessons look at all"

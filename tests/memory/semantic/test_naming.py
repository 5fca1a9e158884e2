"""Which names are the same thing's, and how that is decided and undone."""

import pytest

from memory.records.access import EVERYTHING
from memory.records.knowledge import Fact
from memory.semantic import alike
from memory.semantic.alike import alike_names
from memory.semantic.naming import SameNames, about_by_any_name, is_naming
from memory.semantic.volatile import VolatileSemanticMemory
from tests.support.documents import fact

SHORT = fact("DHS", "the Deep Harbour Survey", relation="stands for")
KNOWN = fact("Ludwig Brehm", "Iron Lu", relation="was also known as", source="b.md")
FOUNDED = fact("the Deep Harbour Survey", "1931", relation="was founded in", source="c.md")


def triple(subject: str, relation: str, object_: str) -> Fact:
    made = fact(subject, object_, relation=relation, source="names.csv")
    return made.model_copy(update={"rule": "triple"})


def test_an_abbreviation_and_a_nickname_are_the_same_things_names() -> None:
    names = SameNames([SHORT, KNOWN, FOUNDED])
    assert names.canonical("the DHS") == names.canonical("Deep Harbour Survey") == "deep harbour survey"
    assert names.others(["Iron Lu"]) == ("Ludwig Brehm",)
    assert names.others(["Ludwig Brehm", "Iron Lu", "Oslo"]) == ()
    assert names.canonical("Oslo") == "oslo"
    assert [group for group, _ in names.groups()] == [
        ("Ludwig Brehm", "Iron Lu"),
        ("the Deep Harbour Survey", "DHS"),
    ]


def test_what_stands_for_two_things_is_neither() -> None:
    other = fact("DHS", "Department of Human Settlements", relation="stands for", source="d.md")
    names = SameNames([SHORT, other])
    assert names.canonical("DHS") == "dhs"
    assert names.groups() == []


def test_a_triple_joins_and_another_keeps_apart() -> None:
    joined = triple("Mercury", "is the same as", "Mercury Records")
    apart = triple("Mercury Records", "is not the same as", "Mercury")
    assert SameNames([joined]).canonical("Mercury") == "mercury record"
    assert SameNames([joined, apart]).canonical("Mercury") == "mercury"
    undone = triple("DHS", "is not the same as", "Deep Harbour Survey")
    assert SameNames([SHORT, undone]).canonical("DHS") == "dhs"


@pytest.mark.parametrize(
    "other",
    [
        fact("the process", "fermentation", relation="is called"),
        fact("the EU", "peace", relation="stands for"),
        fact("Ann Quist", "Leeds", relation="lives in"),
        KNOWN.model_copy(update={"condition": "in Berlin"}),
        KNOWN.model_copy(update={"said_by": "u1"}),
    ],
)
def test_descriptions_conditions_and_what_users_say_join_nothing(other: Fact) -> None:
    assert not is_naming(other.model_copy(update={"rule": "clause"}))


async def test_a_thing_is_looked_up_by_all_its_names_and_only_where_they_are_unique() -> None:
    semantic = VolatileSemanticMemory()
    await semantic.add([SHORT, FOUNDED])
    known = await about_by_any_name(semantic, ["DHS"], access=EVERYTHING)
    assert (known.facts, known.names) == ((SHORT, FOUNDED), ("the Deep Harbour Survey",))
    await semantic.add([fact("DHS", "Department of Human Settlements", relation="stands for", source="d.md")])
    for term in ("DHS", "Deep Harbour Survey"):
        assert (await about_by_any_name(semantic, [term], access=EVERYTHING)).names == ()


async def test_many_facts_under_one_name_leave_room_for_those_under_the_others() -> None:
    semantic = VolatileSemanticMemory()
    await semantic.add([SHORT, FOUNDED, *(fact("DHS", f"buoy {n}", relation="owns") for n in range(20))])
    known = await about_by_any_name(semantic, ["DHS"], access=EVERYTHING, limit=6)
    assert len(known.facts) == 6
    assert FOUNDED in known.facts


def test_names_that_are_spelled_alike_are_suggested_until_a_person_decides() -> None:
    facts = [
        fact("Kelvyn Corporation", "pumps", relation="makes"),
        fact("Kelvyn Corporations Ltd", "pumps", relation="sells"),
        fact("Model X100", "a pump"),
        fact("Model X101", "a pump"),
    ]
    ((pair,), more) = alike_names(facts)
    assert not more
    assert (pair.first, pair.second) == ("Kelvyn Corporation", "Kelvyn Corporations Ltd")
    for relation in ("is the same as", "is not the same as"):
        decided = triple("Kelvyn Corporation", relation, "Kelvyn Corporations Ltd")
        assert alike_names([*facts, decided]).pairs == []


@pytest.mark.parametrize("ending", ["X{n}", "{letter}o"])
def test_names_that_are_all_alike_are_not_all_compared(monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    monkeypatch.setattr(alike, "MOST_COMPARED", 50)
    endings = [ending.format(n=n, letter=letter) for n, letter in enumerate("ABCDEFGHIJKLMNOP")]
    facts = [fact(f"Kelvyn Corporation {each}", "a firm") for each in endings]
    found = alike_names(facts)
    assert found.more
    assert len(found.pairs) <= 50


RELATIONS = ("stands for", "is also known as", "is the same as")
APART = triple("Windows", "is not the same as", "window")
SYSTEM = fact("Windows", "an operating system", relation="is", source="b.md")
OPENING = fact("the windows", "openings in a wall", relation="are", source="c.md")


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        ("Windows", "window", ("Windows", "the Windows", "WINDOWS")),
        ("Mercury", "mercury", ("Mercury", "Mercury's")),
        ("Apple", "apples", ("Apple", "the Apple")),
        ("US", "us", ("US",)),
        ("Leaves of Grass", "leaves of grass", ("Leaves of Grass",)),
    ],
)
def test_names_that_differ_in_case_or_plural_alone_are_one_until_a_triple_tells_them_apart(
    first: str, second: str, names: tuple[str, ...]
) -> None:
    assert SameNames([]).canonical(first) == SameNames([]).canonical(second)
    apart = triple(first, "is not the same as", second)
    for told in (apart, triple(second, "is not the same as", first)):
        same = SameNames([told])
        assert {same.canonical(name) for name in names} == {same.canonical(first)}
        others = {same.canonical(name) for name in (second, f"a {second}", f"the {second}")}
        assert others == {same.canonical(second)} != {same.canonical(first)}
    assert SameNames([apart]).groups() == []
    assert SameNames([apart]).told_apart == (apart,)


@pytest.mark.parametrize(
    "other",
    [
        triple("Windows", "is not the same as", "the Windows"),
        triple("Windows", "is the same as", "window"),
        triple("Windows", "is not", "window"),
        fact("Windows", "window", relation="is not the same as"),
        APART.model_copy(update={"said_by": "u1"}),
    ],
)
def test_nothing_else_tells_names_of_one_key_apart(other: Fact) -> None:
    assert SameNames([other]).canonical("Windows") == SameNames([other]).canonical("window")


def test_another_name_is_that_of_one_of_the_things_that_are_told_apart() -> None:
    names = SameNames([APART, triple("MS Windows", "is the same as", "Windows")])
    assert names.canonical("MS Windows") == names.canonical("Windows") != names.canonical("window")
    assert names.others(["Windows"]) == names.others(["windows"]) == ("MS Windows",)
    assert names.others(["a Window"]) == ("MS Windows",)  # as at the beginning of a sentence
    assert names.others(["MS Windows"]) == ("Windows",)


async def test_what_is_told_apart_is_looked_up_apart_and_together_again_without_the_triple() -> None:
    semantic = VolatileSemanticMemory()
    await semantic.add([SYSTEM, OPENING, APART])
    assert is_naming(APART)

    async def found(*terms: str) -> set[str]:
        known = await about_by_any_name(semantic, terms, access=EVERYTHING)
        return {each.object for each in known.facts if each != APART}

    assert await found("Windows") == {SYSTEM.object}
    assert await found("windows") == {SYSTEM.object, OPENING.object}, "lower case tells nothing"
    assert await found("openings in a wall") == {OPENING.object}
    await semantic.remove(APART.source, domain=APART.domain)
    assert await found("Windows") == {SYSTEM.object, OPENING.object}


@pytest.mark.parametrize(
    ("one", "other"), [("Windows", "window"), ("Mercury Records", "Mercury"), ("Mercury", "mercury")]
)
@pytest.mark.parametrize(
    "joining",
    [
        ("W stands for {one}", "W stands for {other}"),
        ("W stands for {one}", "W is also known as {other}"),
        ("{one} is also known as W", "W is also known as {other}"),
        ("W stands for {one}", "W is the same as V", "V stands for {other}"),
        ("W is the same as {one}", "W is the same as {other}"),
    ],
)
def test_what_a_triple_tells_apart_is_joined_by_no_facts_together(
    one: str, other: str, joining: tuple[str, ...]
) -> None:
    facts = [triple(one, "is not the same as", other)]
    for sentence in joining:
        relation = next(each for each in RELATIONS if f" {each} " in sentence)
        subject, object_ = sentence.format(one=one, other=other).split(f" {relation} ")
        made = triple(subject, relation, object_)
        said = made.model_copy(update={"rule": "abbreviation", "source": "b.md"})
        facts.append(made if relation == "is the same as" else said)
    names = SameNames(facts)
    assert names.canonical(one) != names.canonical(other)
    assert not {one, other} <= {"W", *names.others(["W"])}


def test_a_persons_triple_outlasts_the_sentence_that_would_join_what_is_told_apart() -> None:
    said = fact("W", "window", relation="stands for", source="b.md")
    names = SameNames([APART, triple("W", "is the same as", "Windows"), said])
    assert names.canonical("W") == names.canonical("Windows") != names.canonical("window")


async def test_as_many_facts_as_asked_for_are_found_of_a_thing_that_is_told_apart() -> None:
    semantic = VolatileSemanticMemory()
    of_walls = [fact("the windows", f"hole {n}", relation="are") for n in range(40)]
    of_systems = [fact("Windows", f"release {n}", relation="has", source="b.md") for n in range(40)]
    alias = triple("MS Windows", "is the same as", "Windows")
    await semantic.add([APART, alias, *of_walls, *of_systems])
    for term in ("Windows", "MS Windows"):
        known = await about_by_any_name(semantic, [term], access=EVERYTHING, limit=20)
        assert len(known.facts) == 20
        assert {each.object.split()[0] for each in known.facts if each.rule != "triple"} == {"release"}

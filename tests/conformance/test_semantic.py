"""What every semantic memory does, the fake and FalkorDB alike."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from memory.records.access import EVERYTHING, Access
from memory.records.knowledge import Fact
from memory.semantic.base import SemanticMemory
from memory.semantic.embedded import running, socket_path
from memory.semantic.falkor import FalkorSemanticMemory
from memory.semantic.volatile import VolatileSemanticMemory
from tests.support.access import DOMAINS, OWNERS, accesses
from tests.support.documents import fact

CHECKER = fact("borrow checker", "data races", relation="prevents")
RACE = fact("data race", "undefined behaviour", relation="causes")
LEVAIN = fact("levain", "sourdough starter", relation="made_of", source="b.md", domain="bread")
STARTER = fact("sourdough starter", "a culture of yeast", source="b.md", domain="bread")


@pytest.fixture(params=["volatile", pytest.param("falkor", marks=pytest.mark.services)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SemanticMemory]:
    if request.param == "volatile":
        yield VolatileSemanticMemory()
        return
    async with running(tmp_path / "graph"):
        memory = await FalkorSemanticMemory.open(str(socket_path(tmp_path / "graph")))
        yield memory
        await memory.aclose()


async def test_adding_twice_stores_once(store: SemanticMemory) -> None:
    assert await store.add([CHECKER, RACE, CHECKER]) == 2
    assert await store.add([RACE, LEVAIN]) == 1
    assert await store.add([]) == 0
    assert await store.about(["levain"], access=EVERYTHING) == (LEVAIN,)


async def test_adding_the_same_from_many_tasks_stores_it_once(store: SemanticMemory) -> None:
    assert sum(await asyncio.gather(*(store.add([CHECKER]) for _ in range(8)))) == 1
    assert await store.about(["borrow checker"], access=EVERYTHING) == (CHECKER,)


async def test_a_fact_is_redated_in_its_place_and_none_is_made(store: SemanticMemory) -> None:
    await store.add([CHECKER, LEVAIN])
    dated = datetime(2021, 3, 4, tzinfo=UTC)
    await store.redate([each.model_copy(update={"dated": dated}) for each in (CHECKER, RACE)])
    found = {each.id: each.dated for each in await store.all(access=EVERYTHING)}
    assert found == {CHECKER.id: dated, LEVAIN.id: LEVAIN.dated}
    await store.redate([])


@pytest.mark.parametrize(
    "name", ["borrow checker", "The Borrow Checkers", "BORROW CHECKER", "borrow  checker"]
)
async def test_a_thing_is_found_under_any_spelling_of_its_name(store: SemanticMemory, name: str) -> None:
    await store.add([CHECKER, LEVAIN])
    assert await store.about([name], access=EVERYTHING) == (CHECKER,)


async def test_all_facts_are_listed_by_domain_and_access(store: SemanticMemory) -> None:
    private = RACE.model_copy(update={"owner": "ann"})
    await store.add([CHECKER, LEVAIN, private])
    shared = sorted((CHECKER, LEVAIN), key=lambda f: f.id)
    assert await store.all(access=Access()) == tuple(shared)
    assert await store.all(access=EVERYTHING, domain=LEVAIN.domain) == (LEVAIN,)
    assert len(await store.all(access=EVERYTHING)) == 3
    assert len(await store.all(access=EVERYTHING, limit=2)) == 2


async def test_facts_about_a_subject_come_before_those_that_end_in_it(store: SemanticMemory) -> None:
    await store.add([CHECKER, RACE])
    assert await store.about(["data race"], access=EVERYTHING) == (RACE, CHECKER)
    assert await store.about(["data race"], limit=1, access=EVERYTHING) == (RACE,)
    assert await store.about(["data race"], limit=0, access=EVERYTHING) == ()


async def test_a_domain_hides_all_others(store: SemanticMemory) -> None:
    await store.add([CHECKER, LEVAIN])
    assert await store.about(["borrow checker", "levain"], domain="bread", access=EVERYTHING) == (LEVAIN,)
    assert await store.about(["levain"], domain="x' OR 1=1", access=EVERYTHING) == ()


async def test_a_walk_reaches_as_far_as_its_hops(store: SemanticMemory) -> None:
    await store.add([CHECKER, RACE, LEVAIN, STARTER])
    assert await store.near(["borrow checker"], hops=1, access=EVERYTHING) == (CHECKER,)
    assert await store.near(["borrow checker"], hops=2, access=EVERYTHING) == (CHECKER, RACE)
    assert await store.near(["undefined behaviour"], hops=4, access=EVERYTHING) == (RACE, CHECKER)
    assert await store.near(["borrow checker"], hops=2, limit=1, access=EVERYTHING) == (CHECKER,)
    assert await store.near(["nothing"], hops=2, access=EVERYTHING) == ()


async def test_the_facts_of_documents_are_found_by_their_names(store: SemanticMemory) -> None:
    await store.add([CHECKER, RACE, LEVAIN, STARTER])
    assert set(await store.of_documents({"b.md"}, access=EVERYTHING)) == {LEVAIN, STARTER}
    both = await store.of_documents({"b.md", CHECKER.source, "no.md"}, access=EVERYTHING)
    assert [fact.id for fact in both] == sorted(fact.id for fact in (CHECKER, RACE, LEVAIN, STARTER))
    assert len(await store.of_documents({"b.md"}, limit=1, access=EVERYTHING)) == 1
    assert await store.of_documents((), access=EVERYTHING) == ()
    closed = Access(owner="ada", closed=frozenset({"bread"}))
    assert await store.of_documents({"b.md"}, access=closed) == ()


@pytest.mark.parametrize("hops", [0, -1, 5])
async def test_a_walk_without_bounds_is_refused(store: SemanticMemory, hops: int) -> None:
    with pytest.raises(ValueError, match=r"1\.\.4"):
        await store.near(["levain"], hops=hops, access=EVERYTHING)


async def test_a_source_is_forgotten_alone(store: SemanticMemory) -> None:
    await store.add([CHECKER, RACE, LEVAIN, STARTER])
    assert await store.remove("b.md", domain="bread") == 2
    assert await store.remove("b.md", domain="bread") == 0
    assert await store.about(["levain", "sourdough starter"], access=EVERYTHING) == ()
    assert await store.about(["borrow checker"], access=EVERYTHING) == (CHECKER,)


@pytest.mark.parametrize(
    "name",
    [
        "Box<T>",
        "&",
        "it's",
        'a "b" \\ c',
        "x\x00y",
        "{key: 1}) DETACH DELETE n //",
        "naïve 💥",
        "a\nb",
        "NaN",
    ],
)
async def test_no_name_breaks_the_graph(store: SemanticMemory, name: str) -> None:
    odd = fact(name, f"a {name} thing", relation=name, source=f"{name}.md")
    await store.add([CHECKER, odd])
    assert await store.about([name], access=EVERYTHING) == (odd,)
    assert await store.remove(odd.source, domain="rust") == 1
    assert await store.about(["borrow checker"], access=EVERYTHING) == (CHECKER,)


@pytest.mark.parametrize(
    "text",
    ["", " ", "x ", " x", "x\t", "x\n", "x\x0b", "x\x1c", "x\x01", "x\u2003", "x\\", "x\x00", "'", "x y"],
)
async def test_no_id_and_no_name_with_odd_characters_breaks_the_graph(
    store: SemanticMemory, text: str
) -> None:
    """FalkorDB's server crashed on an id with white space at its end."""
    for _ in range(2):
        await store.add([CHECKER.model_copy(update={"id": text})])
        await store.add([CHECKER.model_copy(update={"id": f"of {text!r}", "subject": text, "object": text})])
    assert await store.add([CHECKER]) == 1
    assert await store.add([CHECKER]) == 0


async def test_a_thousand_facts_are_kept(store: SemanticMemory) -> None:
    many = [fact(f"thing {n}", "a thing") for n in range(1200)]
    assert await store.add(many) == 1200
    assert len(await store.about(["a thing"], limit=5000, access=EVERYTHING)) == 1200


def _said(subject: str, object_: str, by: str, day: int = 1) -> Fact:
    return fact(subject, object_, source=f"statement:{subject}-{by}").model_copy(
        update={"said_by": by, "observed_at": datetime(2023, 5, day, tzinfo=UTC)}
    )


async def test_what_a_user_stated_is_found_by_their_searches_alone(store: SemanticMemory) -> None:
    mine, general = _said("the deadline", "Friday", "ann"), fact("the deadline", "a date")
    await store.add([mine, general])
    assert await store.about(["deadline"], access=EVERYTHING) == (general,)
    assert await store.about(["friday"], access=EVERYTHING) == ()
    assert await store.about(["deadline"], said_by="bob", access=EVERYTHING) == (general,)
    assert set(await store.about(["deadline"], said_by="ann", access=EVERYTHING)) == {mine, general}


async def test_a_walk_passes_through_no_statement_of_another_user(store: SemanticMemory) -> None:
    mine = _said("borrow checker", "levain", "ann")
    await store.add([CHECKER, mine, LEVAIN])
    assert await store.near(["data races"], hops=4, access=EVERYTHING) == (CHECKER,)
    assert await store.near(["data races"], hops=4, said_by="bob", access=EVERYTHING) == (CHECKER,)
    assert await store.near(["data races"], hops=4, said_by="ann", access=EVERYTHING) == (
        CHECKER,
        mine,
        LEVAIN,
    )


async def test_statements_of_a_user_are_listed_latest_first(store: SemanticMemory) -> None:
    old, new, other = _said("a", "x", "ann", 1), _said("b", "x", "ann", 2), _said("c", "x", "bob", 3)
    await store.add([old, new, other, CHECKER])
    assert await store.said("ann") == (new, old)
    assert await store.said("ann", limit=1) == (new,)
    assert await store.said("ann", limit=0) == ()
    assert await store.said("") == ()


@pytest.mark.parametrize(
    "unit", ["' OR 1=1 //", "x\x00", "\ud800", "ann\x00", "$said_by", "null", "", "*", "{said_by: 'ann'}"]
)
async def test_no_name_of_a_unit_shows_the_statements_of_another(store: SemanticMemory, unit: str) -> None:
    await store.add([_said("the deadline", "Friday", "ann"), _said("the deadline", "Friday", "x")])
    assert await store.about(["deadline", "friday"], said_by=unit, access=EVERYTHING) == ()
    assert await store.near(["deadline"], hops=2, said_by=unit, access=EVERYTHING) == ()
    assert await store.said(unit) == ()


async def test_a_statement_is_forgotten_by_its_source(store: SemanticMemory) -> None:
    mine = _said("the deadline", "Friday", "ann")
    await store.add([mine, CHECKER])
    assert await store.remove(mine.source, domain=mine.domain) == 1
    assert await store.said("ann") == ()


async def test_the_same_fact_of_two_owners_is_two_facts(store: SemanticMemory) -> None:
    anns, bens = (fact("borrow checker", "data races", owner=owner) for owner in ("ann", "ben"))
    assert await store.add([anns, bens]) == 2
    ann, ben = Access(owner="ann"), Access(owner="ben")
    assert await store.about(["borrow checker"], access=ann) == (anns,)
    assert await store.remove("a.md", domain="rust", owner="ann") == 1
    assert await store.remove("a.md", domain="rust") == 0
    assert await store.about(["borrow checker"], access=ann) == ()
    assert await store.about(["borrow checker"], access=ben) == (bens,)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(access=accesses())
async def test_every_way_to_read_finds_what_may_be_read_and_nothing_else(
    store: SemanticMemory, access: Access
) -> None:
    everything = [
        fact("levain", f"object of {owner} in {domain}", owner=owner, domain=domain, source="own.md")
        for owner in OWNERS
        for domain in DOMAINS
    ]
    await store.add(everything)
    readable = {f.id for f in everything if access.may_read(f.owner, f.domain)}
    assert {f.id for f in await store.about(["levain"], access=access)} == readable
    assert {f.id for f in await store.near(["levain"], access=access)} == readable


async def test_facts_that_give_another_name_are_found_by_either(store: SemanticMemory) -> None:
    naming = fact("DHS", "the Deep Harbour Survey", relation="stands for")
    private = fact("DHS", "Dover Health Service", relation="stands for", owner="ann", source="p.md")
    await store.add([naming, private, fact("DHS", "Leeds", relation="is in"), CHECKER])
    assert await store.naming(["deep harbour surveys"], access=EVERYTHING) == (naming,)
    assert await store.naming(["dhs"], access=Access(owner="ben")) == (naming,)
    both = tuple(sorted((naming, private), key=lambda each: each.id))
    assert await store.naming(["DHS", "borrow checker"], access=EVERYTHING) == both
    assert await store.naming(["DHS"], access=EVERYTHING, domain="bread") == ()
    assert await store.naming(["DHS"], access=EVERYTHING, limit=0) == ()
    assert await store.naming([], access=EVERYTHING) == ()


async def test_a_triple_that_tells_two_spellings_apart_is_found_by_either(store: SemanticMemory) -> None:
    apart = fact("Windows", "window", relation="is not the same as").model_copy(update={"rule": "triple"})
    said = fact("Windows", "a system", relation="is")
    await store.add([apart, said])
    for term in ("windows", "the Window"):
        assert await store.naming([term], access=EVERYTHING) == (apart,)
        assert set(await store.about([term], access=EVERYTHING)) == {apart, said}
    assert set(await store.near(["a system"], access=EVERYTHING, hops=2)) == {apart, said}
    assert await store.remove(apart.source, domain=apart.domain, keep=[said.id]) == 1
    assert await store.naming(["windows"], access=EVERYTHING) == ()

"""Perspectives are kept per domain and owner, in SQLite and PostgreSQL, and end with their last document."""

from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError

from memory.database.database import Database, open_database
from memory.errors import PerspectiveTaken, UnknownPerspective
from memory.ingest.writer import Place
from memory.records.access import EVERYTHING, Access
from memory.server.erasure import ErasableRows, Target
from memory.server.perspectives import Perspectives
from tests.support.databases import database_url, empty_runs, home, postgresql, template

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]

ANN, BEN = Access(owner="ann"), Access(owner="ben")
SHARED, OF_ANN, OF_BEN = (Place(f"{owner}.md", "food", owner) for owner in (None, "ann", "ben"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await open_database(database_url)
    yield opened
    await opened.aclose()


@pytest.fixture
async def perspectives(database: Database) -> Perspectives:
    return Perspectives(database)


async def named(perspectives: Perspectives, access: Access = EVERYTHING) -> list[tuple[str, str, float, int]]:
    return [(e.domain, e.name, e.weight, e.documents) for e in await perspectives.all(access=access)]


async def test_a_document_speaks_from_one_perspective_and_its_domain_has_it_to_itself(
    perspectives: Perspectives,
) -> None:
    elsewhere = OF_ANN._replace(domain="law")
    await perspectives.declare([OF_ANN, elsewhere], "Botany", access=ANN)
    await perspectives.declare([elsewhere], "the state's", access=ANN)
    assert await named(perspectives) == [("food", "Botany", 1.0, 1), ("law", "the state's", 1.0, 1)]
    await perspectives.weigh("food", "Botany", 2.5, by="operator")
    assert await named(perspectives) == [("food", "Botany", 2.5, 1), ("law", "the state's", 1.0, 1)]
    with pytest.raises(UnknownPerspective):
        await perspectives.weigh("law", "Botany", 2.5, by="operator")


async def test_each_sees_the_perspectives_of_what_it_may_read(perspectives: Perspectives) -> None:
    await perspectives.declare([OF_ANN], "anns secret", access=ANN)
    await perspectives.declare([SHARED], "botany", access=EVERYTHING)
    assert await named(perspectives, BEN) == [("food", "botany", 1.0, 1)]
    seen = await perspectives.viewpoints(BEN)
    assert set(seen.names.values()) == seen.among({"food"}) == {"botany"}
    assert set(seen.weights) == {("food", "botany")}


async def test_only_who_reads_everything_joins_what_others_speak_from(perspectives: Perspectives) -> None:
    await perspectives.declare([OF_ANN], "botany", access=ANN)
    with pytest.raises(PerspectiveTaken):
        await perspectives.declare([OF_BEN], "BOTANY", access=BEN)
    await perspectives.declare([SHARED, OF_BEN], "BOTANY", access=EVERYTHING)
    assert await named(perspectives) == [("food", "botany", 1.0, 3)], "spelled as at first"


async def test_a_perspective_ends_with_its_last_document(
    perspectives: Perspectives, database: Database
) -> None:
    await perspectives.declare([OF_ANN, SHARED], "botany", access=EVERYTHING)
    await perspectives.weigh("food", "botany", 0.0, by="operator")
    await perspectives.withdraw([OF_ANN])
    assert await named(perspectives) == [("food", "botany", 0.0, 1)]
    assert await ErasableRows(database).delete_perspectives(Target(kind="source", value=SHARED.source)) == 1
    assert await named(perspectives) == []
    await perspectives.declare([OF_ANN], "botany", access=ANN)
    assert await named(perspectives) == [("food", "botany", 0.0, 1)], "an admin weighed it"
    assert await ErasableRows(database).delete_perspectives(Target(kind="user", value="ann")) == 1
    assert await named(perspectives) == []


async def test_an_unweighed_perspective_ends_and_a_weighed_one_until_it_is_weighed_anew(
    perspectives: Perspectives,
) -> None:
    for weight in (0.5, 1.0):
        await perspectives.declare([OF_ANN], "botany", access=ANN)
        await perspectives.weigh("food", "botany", weight, by="operator")
        await perspectives.withdraw([OF_ANN])
        assert await named(perspectives) == []
    with pytest.raises(UnknownPerspective):
        await perspectives.weigh("food", "botany", 2.0, by="operator")


@pytest.mark.parametrize("name", ["", " ", "a\nb", 'a "b"', "a\u200db", "x" * 61, "<b>", "a: b", "a; b"])
async def test_a_name_is_one_plain_line(perspectives: Perspectives, name: str) -> None:
    with pytest.raises(ValidationError):
        await perspectives.declare([OF_ANN], name, access=ANN)
    assert await named(perspectives) == []


async def test_composed_and_decomposed_letters_are_one_name(perspectives: Perspectives) -> None:
    await perspectives.declare([OF_ANN], "cafe\u0301", access=ANN)
    await perspectives.declare([OF_ANN._replace(source="more.md")], "caf\u00e9", access=ANN)
    assert await named(perspectives) == [("food", "caf\u00e9", 1.0, 2)]

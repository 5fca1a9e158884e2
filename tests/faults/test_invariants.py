"""The checks of the invariants find a planted violation of each, and nothing in a sound home."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from agent.engines.adapter_files import WEIGHTS, digest_of_files
from memory.adapters.mlflow import DATABASE
from memory.outbox import files as outbox
from tests.faults import case, invariants
from tests.faults.invariants import SENTENCES
from tests.faults.perfect_student import answers_in, write_adapter
from tests.faults.service import NotStarted
from tests.faults.work import Client
from tests.support.adapters import curriculum

TABLES = """
CREATE TABLE model_versions (name TEXT, version INTEGER, source TEXT);
CREATE TABLE model_version_tags (name TEXT, version INTEGER, key TEXT, value TEXT);
CREATE TABLE registered_model_aliases (name TEXT, alias TEXT, version INTEGER);
"""
"""The columns of MLflow's tables that are read."""


class Home:
    """A home folder with a registry and an outbox."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / DATABASE).parent.mkdir(parents=True)
        with closing(sqlite3.connect(folder / DATABASE)) as database:
            database.executescript(TABLES)

    def register(self, version: int, *, status: str = "candidate", curriculum: str = "c1") -> Path:
        """An adapter of the domain `lamps`, with its folder."""
        name = f"lamps-v{version}-0000000{version}"
        folder = self.folder / "adapters" / name
        folder.mkdir(parents=True)
        write_adapter(folder, {"What is a zorble?": "a lamp"})
        (folder / "adapter.json").write_text(json.dumps({"files": digest_of_files(folder)}))
        self._rows("INSERT INTO model_versions VALUES ('lamps', ?, ?)", version, str(folder))
        for key, value in {"adapter": name, "status": status, "curriculum": curriculum}.items():
            self._rows("INSERT INTO model_version_tags VALUES ('lamps', ?, ?, ?)", version, key, value)
        return folder

    def point_alias_at(self, version: int) -> None:
        """Makes a version live."""
        self._rows("INSERT INTO registered_model_aliases VALUES ('lamps', 'live-abababab', ?)", version)

    def found(self, *served: str) -> list[str]:
        """The invariants that do not hold."""
        adapters = invariants.registered(self.folder)
        violations = [
            *invariants.ungated(invariants.aliases(self.folder)),
            *invariants.trained_twice(adapters),
            *invariants.damaged(self.folder, adapters, served),
        ]
        return [each.invariant for each in violations]

    def _rows(self, query: str, *values: object) -> None:
        with closing(sqlite3.connect(self.folder / DATABASE)) as database, database:
            database.execute(query, values)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.register(1, status="rejected")
    home.register(2)
    home.point_alias_at(2)
    outbox.publish(tmp_path / "outbox", curriculum())
    return home


def test_a_sound_home_violates_nothing(home: Home) -> None:
    assert home.found("lamps-v2-00000002") == []


def test_a_registry_that_is_not_where_it_is_looked_for_is_no_sound_one(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        invariants.registered(tmp_path)


def test_an_alias_at_a_rejected_adapter_is_found(home: Home) -> None:
    home.point_alias_at(1)
    assert home.found() == ["gated"]


def test_an_alias_at_a_version_that_is_not_there_is_found(home: Home) -> None:
    home.point_alias_at(7)
    assert home.found() == ["gated"]


def test_a_curriculum_that_was_trained_twice_is_found(home: Home) -> None:
    home.register(3)
    assert home.found() == ["once"]


def test_an_adapter_without_all_its_bytes_is_found(home: Home) -> None:
    weights = home.register(3, curriculum="c2") / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-8])
    assert home.found() == ["whole"]


def test_an_adapter_with_other_weights_than_were_evaluated_is_found(home: Home) -> None:
    write_adapter(home.register(3, curriculum="c2"), {"What is a zorble?": "a fish"})
    assert home.found() == ["whole"]


def test_an_unregistered_adapter_in_the_engine_is_found(home: Home) -> None:
    assert home.found("lamps-v9-00000009") == ["whole"]


def test_an_outbox_file_that_is_not_what_its_name_says_is_found(home: Home) -> None:
    file = home.folder / "outbox" / f"{curriculum().digest}.json"
    file.write_text(file.read_text().replace("small", "large"))
    assert home.found() == ["whole"]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client of a service that has lost whatever has `lost` in its id."""

    def answer(request: httpx.Request) -> httpx.Response:
        if "lost" in request.url.path:
            return httpx.Response(404)
        return httpx.Response(
            200, json={"feedback": [], "sources": ["a.md"], "values": {"messages": [1]}, "status": "retired"}
        )

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://service") as http:
        yield Client(http)


@pytest.mark.parametrize(
    ("kind", "id", "details"),
    [
        ("interaction", "lost", {}),
        ("gap", "lost", {}),
        ("learn run", "lost", {}),
        ("night", "lost", {}),
        ("thread", "lost", {}),
        ("feedback", "i1", {}),
        ("document", "b.md", {"facts": 0}),
        ("messages", "t1", {"count": 2}),
        ("promotion", "a1", {}),
    ],
)
async def test_an_acknowledged_thing_that_is_lost_is_found(
    client: Client, kind: str, id: str, details: dict[str, object]
) -> None:
    client.note("document", "a.md", facts=0)
    client.note("messages", "t0", count=1)
    client.note("interaction", "i0")
    assert await invariants.lost(client, None) == []
    client.note(kind, id, **details)
    (found,) = await invariants.lost(client, None)
    assert found.invariant == "acknowledged"
    assert id in found.text


READY: tuple[bool, ...] = (False, True)
"""What /readyz says of a sound service: not ready during the fault, and ready afterwards."""


@asynccontextmanager
async def no_fault(*_: object) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def no_restart(*_: object) -> AsyncIterator[None]:
    yield
    raise NotStarted("the api does not start again")


@pytest.mark.parametrize(
    ("ready", "ends", "broken", "found"),
    [
        (READY, True, no_fault, []),
        ((True, True), True, no_fault, ["ready"]),
        ((False, False), True, no_fault, ["ready"]),
        (READY, False, no_fault, ["ends"]),
        (READY, True, no_restart, ["ends"]),
    ],
    ids=["sound", "ready while down", "never ready again", "work without an end", "no restart"],
)
async def test_a_service_that_lies_or_hangs_is_found(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    ready: tuple[bool, bool],
    ends: bool,
    broken: Any,
    found: list[str],
) -> None:
    going = asyncio.Event()
    states = {False: ready[0], True: ready[1]}

    async def readiness(_: object) -> str:
        return "ready" if states[going.is_set()] else "engine: failing"

    async def work_on(*_: object) -> str:
        await (going.wait() if ends else asyncio.Event().wait())
        return "done"

    async def during(*arguments: Any) -> None:
        await case_during(*arguments)
        going.set()

    async def nothing(*_: object) -> list[Any]:
        return []

    case_during = case._during
    for name in ("REACH_SECONDS", "END_SECONDS", "READY_SECONDS", "DOWN_SECONDS"):
        monkeypatch.setattr(case, name, 0.2)
    for name, value in {
        "fault": broken, "_readiness": readiness, "_work": work_on, "_during": during, "_checked": nothing,
        "SECONDS": {"kill": 0.0},
    }.items():  # fmt: skip
        monkeypatch.setattr(case, name, value)
    monkeypatch.setattr(case.work, "chat", nothing)
    hold = SimpleNamespace(
        set=lambda step: None, go=lambda: None, clear=lambda: None, reached=lambda: "train"
    )
    service: Any = SimpleNamespace(home=home.folder, hold=hold, processes=())
    prepared = case.Prepared("a", "lamps", "day", ("q",), "now")
    outcome = await case.run(
        service, cast(Any, None), case.Case("kill", "api", "learn", "train"), 1, prepared
    )
    assert [each.invariant for each in outcome.violations] == found


def test_every_invariant_has_a_sentence_and_a_case_has_a_name() -> None:
    assert set(SENTENCES) == {"acknowledged", "once", "gated", "whole", "ends", "ready"}
    assert str(case.Case("kill", "api", "learn", "train")) == "kill of api at learn/train"


def test_what_a_trainer_wrote_is_what_the_engine_answers(tmp_path: Path) -> None:
    write_adapter(tmp_path, {"What is a zorble?": "a lamp"})
    assert answers_in(tmp_path) == {"What is a zorble?": "a lamp"}


def test_the_first_cases_are_of_all_kinds_and_all_work() -> None:
    first = case.arranged(case.all_cases(), 0)[:200]
    assert {each.work for each in first} == {"chat", "ingest", "learn", "promotion", "night"}
    assert {each.kind for each in first} == {each.kind for each in case.all_cases()}
    assert len(set(first)) == 200

"""Experiments are kept with their log, one runs per domain, and units count once."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from memory.database.database import Database, open_database
from memory.errors import AlreadyExists, UnknownExperiment
from memory.feedback.experiments import Experiments
from memory.feedback.interactions import InteractionLog
from memory.records.experiments import CONTROL, HOLDOUT, ExperimentDecision
from tests.support.databases import database_url, empty_runs, home, postgresql, template
from tests.support.experiments import WHEN, experiment, turn

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await open_database(database_url, clock=lambda: WHEN)
    yield opened
    await opened.aclose()


@pytest.fixture
def store(database: Database) -> Experiments:
    return Experiments(database)


def entry(action: str = "checked", reason: str = "undecided") -> ExperimentDecision:
    return ExperimentDecision.model_validate({"at": WHEN, "action": action, "by": "policy", "reason": reason})


async def test_an_experiment_is_kept_as_it_was_created(store: Experiments) -> None:
    created = await store.create(experiment())
    assert await store.get("e1") == created
    assert await store.running() == (created,)
    assert await store.list(domain="rust", status="running") == (created,)
    assert await store.list(domain="python") == ()


async def test_an_unknown_experiment_is_named(store: Experiments) -> None:
    with pytest.raises(UnknownExperiment, match="no experiment nowhere"):
        await store.get("nowhere")
    with pytest.raises(UnknownExperiment):
        await store.append("nowhere", entry())


async def test_only_one_experiment_runs_on_a_domain(store: Experiments) -> None:
    await store.create(experiment())
    with pytest.raises(AlreadyExists, match=r"experiment e1 \(a test\) runs on rust"):
        await store.create(experiment("e2"))
    await store.create(experiment("e3", domain="python"))
    await store.append("e1", entry("stopped"))
    await store.create(experiment("e2"))
    assert [each.id for each in await store.running()] == ["e3", "e2"]


async def test_of_experiments_that_start_at_once_one_runs(store: Experiments) -> None:
    started = await asyncio.gather(
        *(store.create(experiment(f"e{number}")) for number in range(5)), return_exceptions=True
    )
    assert sum(isinstance(result, AlreadyExists) for result in started) == 4
    assert len(await store.running()) == 1


async def test_an_end_is_logged_and_final(store: Experiments) -> None:
    await store.create(experiment())
    ended = await store.append("e1", entry("rolled_back", "worse"))
    assert (ended.status, ended.ended_at, ended.log[-1].reason) == ("rolled_back", WHEN, "worse")
    assert await store.get("e1") == ended
    assert await store.running() == ()
    with pytest.raises(ValueError, match=r"has ended \(rolled_back\)"):
        await store.append("e1", entry())


async def test_entries_that_arrive_at_once_are_all_kept(store: Experiments) -> None:
    await store.create(experiment())
    await asyncio.gather(*(store.append("e1", entry(reason=str(number))) for number in range(10)))
    reasons = {logged.reason for logged in (await store.get("e1")).log}
    assert reasons == {"started", *map(str, range(10))}


async def test_a_change_is_stored_with_its_entry(store: Experiments) -> None:
    await store.create(experiment())
    changed = await store.append("e1", entry("changed"), coverage=0.25)
    assert (changed.coverage, changed.status) == (0.25, "running")
    assert (await store.running())[0].coverage == 0.25


async def test_units_are_exposed_once_and_keep_their_first_variant(
    store: Experiments, database: Database
) -> None:
    await store.create(experiment())
    log = InteractionLog(database)
    turns = [turn("ada"), turn("ada", number=1, minutes=1), turn("ben", "b"), turn("eve", HOLDOUT)]
    await asyncio.gather(*(log.save(each) for each in turns))
    await log.save(turn("ben", CONTROL, number=1, minutes=2))
    assert await store.exposures("e1") == {CONTROL: 1, "b": 1, HOLDOUT: 1}
    assert await store.exposures("e1", version=2) == {}


async def test_the_turns_of_one_experiment_are_found_whatever_their_domain(
    store: Experiments, database: Database
) -> None:
    await store.create(experiment())
    await store.create(experiment("e2", domain="python"))
    log = InteractionLog(database)
    turns = [turn(f"u{number}", minutes=number, domain=f"d{number}") for number in range(5)]
    others = [turn("eve", experiment_id="e2"), turn("mia", assignment=None)]
    await asyncio.gather(*(log.save(each) for each in (*turns, *others)))
    found = [each async for page in log.stream(experiment="e1", page=2) for each in page]
    assert found == turns

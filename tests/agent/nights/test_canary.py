"""A night's canary: an experiment in which a share of the units sees the new adapter."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.chat.routing import Route, Routes
from agent.experiments.active import ActiveExperiments
from agent.nights.deployment import MIN_UNITS, start_canary
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.database.database import open_database
from memory.feedback.experiments import Experiments
from memory.records.experiments import Experiment
from tests.support.adapters import curriculum
from tests.support.cards import gate
from tests.support.engines import RecordingEngine
from tests.support.experiments import BASE_LINES, CANDIDATE, LINES, LIVE, WHEN

BASE = Route(domain="general", adapter=None, gate=gate())


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[dict[str, Any]]:
    """What a canary is started with, as keyword arguments."""
    database = await open_database(f"sqlite:///{tmp_path / 'service.db'}")
    registry = VolatileAdapterRegistry([LIVE, CANDIDATE])
    registry.promote(LIVE.name)
    routes = Routes(registry, lambda digest: curriculum())
    await routes.refresh()
    active = ActiveExperiments(
        Experiments(database),
        engine=RecordingEngine(BASE_LINES, adapters=LINES),
        registry=registry,
        routes=routes,
    )
    yield {"base": BASE, "active": active, "routes": routes, "registry": registry}
    await database.aclose()


async def started(service: dict[str, Any], share: float) -> Experiment:
    return await start_canary(CANDIDATE, share, night_id="n1", now=WHEN, **service)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.95])
async def test_the_share_of_the_units_sees_the_new_adapter(service: dict[str, Any], share: float) -> None:
    control, new = (await started(service, share)).variants
    assert (control.adapter, new.adapter) == (None, CANDIDATE.name)
    assert new.share == pytest.approx(share)


@pytest.mark.parametrize("share", [0.01, 0.1])
async def test_enough_units_are_planned_for_a_small_share(service: dict[str, Any], share: float) -> None:
    experiment = await started(service, share)
    assert experiment.planned * share >= experiment.minimum == MIN_UNITS


async def test_a_repeated_step_finds_its_experiment(service: dict[str, Any]) -> None:
    assert await started(service, 0.1) == await started(service, 0.1)
    assert len(await service["active"].store.running()) == 1

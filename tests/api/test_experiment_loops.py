"""Every process follows the experiments that another one starts, and checks those that run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from agent.engines.scripted import ScriptedEngine
from agent.experiments.active import ActiveExperiments
from agent.loops import Loop, Loops
from api.experiment_loops import check_experiments, experiment_checks, follow_experiments
from graphs.state import Runtime
from memory.errors import StoreUnavailable
from memory.feedback.experiments import Experiments
from memory.records.experiments import CONTROL, Experiment, ExperimentDecision
from tests.graphs.conftest import eventually
from tests.support.experiments import GENERAL, WHEN, experiment, fill, served


def active(runtime: Runtime) -> ActiveExperiments:
    assert runtime.experiments is not None
    return runtime.experiments


@asynccontextmanager
async def going_on(loop: Loop) -> AsyncIterator[Loops]:
    """Runs the loop for as long as the block lasts."""
    async with Loops() as running:
        running.start(loop)
        yield running


async def begun(runtime: Runtime, **fields: Any) -> Experiment:
    """An experiment that another process started."""
    started = experiment(**({"domain": "general", "adapter": GENERAL.name} | fields))
    return await Experiments(runtime.database).create(started)


async def test_an_experiment_of_another_process_is_served_with_its_adapter_loaded(runtime: Runtime) -> None:
    changed = served(runtime)

    async def assigned() -> bool:
        assignment = active(changed).assign("general", "ada")
        return assignment is not None and not assignment.fallback

    async with going_on(follow_experiments(active(changed), every=0.01)):
        await begun(changed)
        await eventually(assigned)
        assert await changed.engine.loaded() == (GENERAL.name,)
        stopped = ExperimentDecision(at=WHEN, action="stopped", by="ada", reason="enough")
        await Experiments(changed.database).append("e1", stopped)

        async def unassigned() -> bool:
            return active(changed).assign("general", "ada") is None

        await eventually(unassigned)


async def test_adapters_come_back_after_the_engine_has_forgotten_them(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.experiment_loops.ADAPTER_SECONDS", 0.0)
    changed = served(runtime)
    assert isinstance(changed.engine, ScriptedEngine)
    await begun(changed)

    async def loaded() -> bool:
        return await changed.engine.loaded() == (GENERAL.name,)

    async with going_on(follow_experiments(active(changed), every=0.01)):
        await eventually(loaded)
        changed.engine.restart()
        await eventually(loaded)


async def test_an_engine_that_is_away_is_waited_for(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    changed = served(runtime)
    assert isinstance(changed.engine, ScriptedEngine)
    changed.engine.available = False
    await begun(changed)
    async with going_on(follow_experiments(active(changed), every=0.01)) as running:

        async def known() -> bool:
            return "general" in active(changed).running

        await eventually(known)
        assert running.states == {"experiments": None}, "the engine has a check of its own"
    assert caplog.text.count("experiments: waits: ") == 1


async def test_running_experiments_are_decided_without_anybody_asking(runtime: Runtime) -> None:
    changed = served(runtime)
    started = await begun(changed, minimum=30, prove_guardrails=False)
    await active(changed).refresh()
    await fill(changed, started, {CONTROL: 0.1, "b": 0.9})
    checks = experiment_checks(changed)

    async def promoted() -> bool:
        return (await active(changed).store.get("e1")).status == "promoted"

    async with going_on(check_experiments(active(changed), checks, every=0.01)):
        await eventually(promoted)
    live = changed.registry.live("general")
    assert live is not None
    assert live.name == GENERAL.name


class BrokenStore(Experiments):
    """A store that is away, or has a bug."""

    error: Exception = StoreUnavailable("away")

    async def running(self) -> tuple[Experiment, ...]:
        raise self.error


async def test_a_store_that_is_away_or_has_a_bug_ends_nothing(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    changed = served(runtime)
    store = BrokenStore(changed.database)
    broken = ActiveExperiments(store, engine=changed.engine, registry=changed.registry, routes=changed.routes)
    async with going_on(follow_experiments(broken, every=0.01)) as running:
        for error in (StoreUnavailable("away"), RuntimeError("a fault of ours")):
            store.error = error

            async def named(reason: str = str(error)) -> bool:
                return reason in (running.states["experiments"] or "")

            await eventually(named)
            assert str(error) in caplog.text


async def test_an_experiment_that_cannot_be_checked_keeps_no_other_from_its_check(runtime: Runtime) -> None:
    changed = served(runtime)
    await begun(changed)
    await begun(changed, id="e2", domain="rust")
    await active(changed).refresh()
    checked: list[str] = []

    class Checks:
        async def check(self, id: str) -> Any:
            checked.append(id)
            raise RuntimeError(f"{id} has a fault")

    async with going_on(check_experiments(active(changed), cast(Any, Checks()), every=0.01)) as running:

        async def all_tried() -> bool:
            return set(checked) == {"e1", "e2"} and running.states["experiment checks"] is not None

        await eventually(all_tried)

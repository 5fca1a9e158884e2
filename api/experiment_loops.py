"""Background loops of experiments: following other processes' changes, and the automatic checks."""

import logging
import time

from agent.errors import EngineUnavailable
from agent.experiments.active import ActiveExperiments
from agent.experiments.check import ExperimentChecks
from agent.loops import Loop, do_all
from api.adapter_loops import LONGEST_LOADING
from graphs.state import Runtime
from memory.records.experiments import Experiment

log = logging.getLogger(__name__)

FOLLOW_SECONDS = 0.5
"""An experiment that another process starts or ends takes effect within a second."""
ADAPTER_SECONDS = 3.0
"""Interval at which the variants' adapters are looked for in the engine."""
CHECK_SECONDS = 300.0
"""Interval of the automatic checks. The statistics allow any number of looks."""


def follow_experiments(experiments: ActiveExperiments, *, every: float = FOLLOW_SECONDS) -> Loop:
    """Serves what other processes start or end, and keeps the variants' adapters loaded."""
    loaded_at = float("-inf")

    async def follow() -> None:
        nonlocal loaded_at
        if time.monotonic() - loaded_at > ADAPTER_SECONDS:
            loaded_at = time.monotonic()
            await experiments.refresh()
        else:
            await experiments.refresh_if_changed()

    return Loop(
        "experiments", follow, every=every, stuck_after=LONGEST_LOADING, waits_for=(EngineUnavailable,)
    )


def check_experiments(
    experiments: ActiveExperiments, checks: ExperimentChecks, *, every: float = CHECK_SECONDS
) -> Loop:
    """Checks all running experiments and carries out what is decided, for each whatever befalls another."""

    async def check(experiment: Experiment) -> None:
        checked, _ = await checks.check(experiment.id)
        if checked.status != "running":
            log.info("experiment %s: %s, %s", checked.id, checked.status, checked.log[-1].reason)
            await experiments.refresh_if_changed()

    async def check_all() -> None:
        await do_all(tuple(experiments.running.values()), check)

    return Loop(
        "experiment checks",
        check_all,
        every=every,
        stuck_after=LONGEST_LOADING,
        waits_for=(EngineUnavailable,),
    )


def experiment_checks(runtime: Runtime) -> ExperimentChecks:
    """The checks over the runtime's stores."""
    assert runtime.experiments is not None, "the service runs experiments"
    return ExperimentChecks(
        experiments=runtime.experiments.store,
        interactions=runtime.interactions,
        feedback=runtime.feedback,
        engine=runtime.engine,
        registry=runtime.registry,
        routes=runtime.routes,
        clock=runtime.clock,
        audit=runtime.audit,
    )

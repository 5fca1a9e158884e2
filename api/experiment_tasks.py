"""Background tasks of experiments: following other processes' changes, and the automatic checks."""

import asyncio
import logging
import time

from agent.errors import AgentError, EngineUnavailable
from agent.experiments.active import ActiveExperiments
from agent.experiments.check import ExperimentChecks
from graphs.state import Runtime
from memory.errors import StorageError
from memory.feedback.feedback import FeedbackStore

log = logging.getLogger(__name__)

FOLLOW_SECONDS = 0.5
"""An experiment that another process starts or ends takes effect within a second."""
ADAPTER_SECONDS = 3.0
"""Interval at which the variants' adapters are looked for in the engine."""
CHECK_SECONDS = 300.0
"""Interval of the automatic checks. The statistics allow any number of looks."""


async def follow_experiments(experiments: ActiveExperiments, *, every: float = FOLLOW_SECONDS) -> None:
    """Serves what other processes start or end, and keeps the variants' adapters loaded; never returns."""
    loaded = float("-inf")
    available = True
    while True:
        try:
            if time.monotonic() - loaded > ADAPTER_SECONDS:
                loaded = time.monotonic()
                await experiments.refresh()
            else:
                await experiments.refresh_if_changed()
            available = True
        except EngineUnavailable as error:
            if available:
                log.warning("the variants' adapters wait for the engine: %s", error)
            available = False
        except (AgentError, StorageError) as error:
            log.error("experiments cannot be read: %s", error)
        except Exception:
            log.exception("experiments are no longer followed because of a bug: restart the api")
            raise
        await asyncio.sleep(every)


async def check_experiments(
    experiments: ActiveExperiments, checks: ExperimentChecks, *, every: float = CHECK_SECONDS
) -> None:
    """Checks all running experiments and carries out what is decided; never returns."""
    while True:
        await asyncio.sleep(every)
        for experiment in tuple(experiments.running.values()):
            try:
                checked, _ = await checks.check(experiment.id)
                if checked.status != "running":
                    log.info("experiment %s: %s, %s", checked.id, checked.status, checked.log[-1].reason)
                    await experiments.refresh_if_changed()
            except (AgentError, StorageError) as error:
                log.error("experiment %s cannot be checked: %s", experiment.id, error)
            except Exception:
                log.exception("experiments are no longer checked because of a bug: restart the api")
                raise


def experiment_checks(runtime: Runtime, feedback: FeedbackStore) -> ExperimentChecks:
    """The checks over the runtime's stores."""
    assert runtime.experiments is not None, "the service runs experiments"
    return ExperimentChecks(
        experiments=runtime.experiments.store,
        interactions=runtime.interactions,
        feedback=feedback,
        engine=runtime.engine,
        registry=runtime.registry,
        routes=runtime.routes,
        clock=runtime.clock,
    )

"""Nights that a crash has left behind: they are ended, so that they block no other night."""

from graphs.server.executor import Executor
from graphs.server.graph_spec import FailureKind
from graphs.server.night_spec import GRAPH
from graphs.state import Runtime

NEVER_QUEUED = "the service stopped before this night began: start it again"
ENDED_EARLY = "its run ended before its report: resume it, or start another night"


async def end_lost_nights(runtime: Runtime, executor: Executor) -> None:
    """Ends nights that wait or run although no run works on them; those with a run are continued by it.

    Call it at the start, as the executor takes over the runs of crashed processes itself. What an ended night
    has done stays, and it can be resumed. Raises StoreUnavailable.
    """
    if GRAPH not in executor.graph_specs:
        return
    for night in await runtime.nights.unfinished():
        latest = next(iter(await executor.runs.list(night.id, limit=1)), None)
        if latest is not None and not latest.finished:
            continue
        kind: FailureKind = "failed"
        if latest is None:
            reason = NEVER_QUEUED
        elif latest.error is not None:
            reason = latest.error["message"]
        else:
            kind, reason = "stopped", ENDED_EARLY
        await executor.graph_specs[GRAPH].record_failure(night.id, kind, reason)

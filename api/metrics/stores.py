"""Reads the metrics of the stores: runs, gaps, training jobs, adapters, passages, and which parts work."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping
from typing import get_args

from agent.errors import AgentError
from agent.nights.report.gather import stored_report
from agent.skew.records import Aspect, SkewReport
from api.compose import Service
from api.health import part_states
from api.metrics import catalogue
from api.metrics.catalogue import Metric
from api.metrics.readings import Values
from memory.errors import StorageError
from memory.server.run_counts import unfinished_counts

log = logging.getLogger(__name__)

NIGHTS = 50
"""Nights among which the latest report of each domain is looked for."""
READ_SECONDS = 5.0
"""Longest wait for one store; what it did not say in time is left out."""


async def read_stores(service: Service) -> Mapping[Metric, Values]:
    """Reads every metric of `catalogue.READ`; of a store that fails or is too slow, none."""
    runtime = service.runtime
    database = runtime.database
    reading = asyncio.gather(
        _read(catalogue.RUNS, unfinished_counts(database)),
        _read(catalogue.LEARN_RUNS, _by_word(database.run_counts())),
        _read(catalogue.GAPS, _by_word(database.gap_counts())),
        _training(service),
        _read(catalogue.ADAPTERS, _adapters(service)),
        _read(catalogue.SKEW, _skew(service)),
        _read(catalogue.PASSAGES, _single(runtime.episodic.count())),
        _read(catalogue.FACTS, _single(runtime.semantic.count())),
    )
    parts, found = await asyncio.gather(part_states(service), reading)
    experiments = 0 if runtime.experiments is None else len(runtime.experiments.running)
    readings: dict[Metric, Values] = {
        catalogue.READ_AT: {(): time.time()},
        catalogue.READY: {(part,): float(state == "ok") for part, state in parts.items()},
        catalogue.EXPERIMENTS: {(): experiments},
    }
    for each in found:
        readings |= each
    return readings


async def _read(metric: Metric, values: Awaitable[Values]) -> Mapping[Metric, Values]:
    try:
        return {metric: await asyncio.wait_for(values, READ_SECONDS)}
    except (AgentError, StorageError, TimeoutError) as error:
        reason = str(error) or f"no answer within {READ_SECONDS:g} s"
        log.warning("%s cannot be read: %s", metric.name, reason)
        return {}


async def _single(count: Awaitable[int]) -> Values:
    return {(): await count}


async def _by_word(counts: Awaitable[Mapping[str, int]]) -> Values:
    return {(word,): count for word, count in (await counts).items()}


async def _training(service: Service) -> Mapping[Metric, Values]:
    queue = await _read(catalogue.QUEUE, _queue(service))
    if not queue:
        return {}
    values = queue[catalogue.QUEUE]
    states, results = ("waiting", "training"), ("candidate", "rejected", "failed")
    return {
        catalogue.QUEUE: {(state,): values[(state,)] for state in states},
        catalogue.RESULTS: {(result,): values[(result,)] for result in results},
    }


async def _queue(service: Service) -> Values:
    queue = await service.runtime.outbox.queue()
    return {
        ("waiting",): queue.waiting,
        ("training",): queue.training,
        ("candidate",): queue.candidates,
        ("rejected",): queue.rejected,
        ("failed",): queue.failed,
    }


async def _skew(service: Service) -> Values:
    latest: dict[str, SkewReport] = {}
    for night in await service.runtime.nights.nights(limit=NIGHTS):
        report = stored_report(night)
        if report is not None and report.skew is not None:
            latest.setdefault(night.domain, report.skew)
    counts = dict.fromkeys(get_args(Aspect), 0)
    for aspect in (each for skew in latest.values() for each in skew.aspects):
        counts[aspect.aspect] += len(aspect.alarms)
    return {(aspect,): count for aspect, count in counts.items()}


async def _adapters(service: Service) -> Values:
    runtime = service.runtime
    registered = await asyncio.to_thread(runtime.registry.list)
    live = await asyncio.to_thread(runtime.registry.live_names)
    return {
        ("registered",): len(registered),
        ("live",): len(live),
        ("loaded",): len(await runtime.engine.loaded()),
    }

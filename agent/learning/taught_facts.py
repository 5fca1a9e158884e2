"""Ids of the facts that a domain's adapters were already taught, so that new lessons leave them out."""

import asyncio
import logging
from collections.abc import Iterable
from typing import NamedTuple

from memory.adapters.base import AdapterRegistry, base_mismatch
from memory.errors import CorruptRecord, UnknownRun
from memory.outbox.base import Outbox
from memory.records.adapters import Adapter
from memory.records.base import Digest, Domain

log = logging.getLogger(__name__)


class TaughtFacts(NamedTuple):
    """Ids of the facts taught in a domain."""

    live: frozenset[str]
    """Facts of the live adapter's lessons."""
    quarantined: frozenset[str]
    """Facts of quarantined lessons, which were forgotten or could not be learned."""


async def facts_taught(domain: Domain, registry: AdapterRegistry, outbox: Outbox) -> TaughtFacts:
    """The facts taught in the domain; an unreadable lesson is logged and skipped."""
    live, quarantined = await asyncio.to_thread(_curricula, domain, registry)
    return TaughtFacts(await _fact_ids(live, outbox), await _fact_ids(quarantined, outbox))


def _curricula(domain: Domain, registry: AdapterRegistry) -> tuple[tuple[Digest, ...], tuple[Digest, ...]]:
    live = registry.live(domain)
    if live is not None and base_mismatch(live, registry) is not None:
        live = None
    digests = dict.fromkeys(digest for adapter in registry.list(domain) for digest in adapter.learned)
    quarantined = tuple(digest for digest in digests if registry.quarantined(digest) is not None)
    return _learned(live), quarantined


def _learned(live: Adapter | None) -> tuple[Digest, ...]:
    return () if live is None else live.learned


async def _fact_ids(digests: Iterable[Digest], outbox: Outbox) -> frozenset[str]:
    ids: set[str] = set()
    for digest in digests:
        try:
            ids |= {fact.id for fact in (await outbox.curriculum(digest)).facts}
        except (UnknownRun, CorruptRecord) as error:
            log.warning("the facts of the curriculum %s cannot be read: %s", digest[:12], error)
    return frozenset(ids)

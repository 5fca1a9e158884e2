"""What a domain was taught before: facts that a further lesson must not teach again."""

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
    """Ids of facts."""

    live: frozenset[str]
    """Of the lessons that the live adapter learned."""
    quarantined: frozenset[str]
    """Of lessons that are in quarantine, for they were forgotten or could not be held."""


async def facts_taught(domain: Domain, registry: AdapterRegistry, outbox: Outbox) -> TaughtFacts:
    """What the domain's adapters were taught; a lesson whose file is lost is logged and left out."""
    live, quarantined = await asyncio.to_thread(_lessons, domain, registry)
    return TaughtFacts(await _facts(live, outbox), await _facts(quarantined, outbox))


def _lessons(domain: Domain, registry: AdapterRegistry) -> tuple[tuple[Digest, ...], tuple[Digest, ...]]:
    live = registry.live(domain)
    if live is not None and base_mismatch(live, registry) is not None:
        live = None
    digests = dict.fromkeys(digest for made in registry.list(domain) for digest in made.learned)
    barred = tuple(digest for digest in digests if registry.quarantined(digest) is not None)
    return _learned(live), barred


def _learned(live: Adapter | None) -> tuple[Digest, ...]:
    return () if live is None else live.learned


async def _facts(digests: Iterable[Digest], outbox: Outbox) -> frozenset[str]:
    found: set[str] = set()
    for digest in digests:
        try:
            found |= {fact.id for fact in (await outbox.curriculum(digest)).facts}
        except (UnknownRun, CorruptRecord) as error:
            log.warning("what %s taught is not known: %s", digest[:12], error)
    return frozenset(found)

"""Says which live adapters were taught a sentence, and how each is made to forget it."""

import asyncio

from graphs.state import Runtime
from memory.errors import CorruptRecord, UnknownRun
from memory.records.base import AdapterName, Digest, Domain, Record


class TaughtLesson(Record):
    """A lesson of a live adapter."""

    adapter: AdapterName
    domain: Domain
    digest: Digest
    """Of the lesson or preference set."""
    command: str
    """Makes the domain do without it."""


async def lessons_with(runtime: Runtime, *, source: str, sentence: str) -> tuple[TaughtLesson, ...]:
    """The lessons of live adapters with a pair that the sentence of this document supports.

    Raises StoreUnavailable.
    """
    registry, found = runtime.registry, []
    for domain in await asyncio.to_thread(registry.live_names):
        adapter = await asyncio.to_thread(registry.live, domain)
        if adapter is None:  # rolled back meanwhile
            continue
        for digest in adapter.learned:
            try:
                curriculum = await runtime.outbox.curriculum(digest)
            except (UnknownRun, CorruptRecord):
                continue  # forgotten meanwhile
            pairs = (*curriculum.pairs, *curriculum.held_out)
            if any(each.source == source and sentence in each.quote for p in pairs for each in p.quoted):
                command = f"nightschool adapters forget {domain} {digest[:12]}"
                found.append(
                    TaughtLesson(adapter=adapter.name, domain=domain, digest=digest, command=command)
                )
    return tuple(found)

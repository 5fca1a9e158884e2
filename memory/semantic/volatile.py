"""Semantic memory in RAM, for tests: facts in a dict."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from memory.language.text import key
from memory.records.access import Access
from memory.records.knowledge import Fact
from memory.semantic.base import checked_hops, keys
from memory.semantic.naming import is_naming


class VolatileSemanticMemory:
    """Facts in a dict, searched exhaustively."""

    def __init__(self) -> None:
        self._facts: dict[str, Fact] = {}

    async def add(self, facts: Sequence[Fact]) -> int:
        new = {f.id: f for f in facts if f.id not in self._facts}
        self._facts.update(new)
        return len(new)

    async def redate(self, facts: Sequence[Fact]) -> None:
        self._facts.update({f.id: f for f in facts if f.id in self._facts})

    async def remove(
        self, source: str, *, domain: str, owner: str | None = None, keep: Collection[str] = ()
    ) -> int:
        document = (source, domain, owner)
        removed = [
            f.id
            for f in self._facts.values()
            if (f.source, f.domain, f.owner) == document and f.id not in keep
        ]
        for id_ in removed:
            del self._facts[id_]
        return len(removed)

    async def about(
        self,
        terms: Sequence[str],
        *,
        access: Access,
        domain: str | None = None,
        said_by: str | None = None,
        limit: int = 50,
    ) -> tuple[Fact, ...]:
        term_keys = set(keys(terms))
        found = [
            (key(f.subject) not in term_keys, f.id, f)
            for f in self._visible(said_by, access)
            if (domain is None or f.domain == domain) and term_keys & {key(f.subject), key(f.object)}
        ]
        return tuple(f for *_, f in sorted(found, key=lambda row: row[:2])[: max(0, limit)])

    async def naming(
        self, terms: Sequence[str], *, access: Access, domain: str | None = None, limit: int = 200
    ) -> tuple[Fact, ...]:
        term_keys = set(keys(terms))
        found = [
            f
            for f in self._visible(None, access)
            if (domain is None or f.domain == domain)
            and term_keys & {key(f.subject), key(f.object)}
            and is_naming(f)
        ]
        return tuple(sorted(found, key=lambda f: f.id)[: max(0, limit)])

    async def near(
        self,
        subjects: Sequence[str],
        *,
        access: Access,
        hops: int = 1,
        said_by: str | None = None,
        limit: int = 50,
    ) -> tuple[Fact, ...]:
        visited = set(keys(subjects))
        found: dict[str, Fact] = {}
        for _ in range(checked_hops(hops)):
            step = sorted(
                (
                    f
                    for f in self._visible(said_by, access)
                    if f.id not in found and visited & {key(f.subject), key(f.object)}
                ),
                key=lambda f: f.id,
            )
            found.update((f.id, f) for f in step)
            visited |= {key(name) for f in step for name in (f.subject, f.object)}
        return tuple(found.values())[: max(0, limit)]

    async def of_documents(
        self, sources: Collection[str], *, access: Access, limit: int = 50
    ) -> tuple[Fact, ...]:
        found = [f for f in self._visible(None, access) if f.source in sources]
        return tuple(sorted(found, key=lambda f: f.id)[: max(0, limit)])

    async def said(self, said_by: str, *, limit: int = 200) -> tuple[Fact, ...]:
        found = [f for f in self._facts.values() if f.said_by == said_by]
        latest_first = sorted(found, key=lambda f: (-(f.observed_at or _NEVER).timestamp(), f.id))
        return tuple(latest_first[: max(0, limit)])

    async def facts(self, source: str, *, domain: str, owner: str | None = None) -> tuple[Fact, ...]:
        document = (source, domain, owner)
        theirs = [f for f in self._facts.values() if (f.source, f.domain, f.owner) == document]
        return tuple(sorted(theirs, key=lambda each: (each.start, each.id)))

    async def count(self) -> int:
        return len(self._facts)

    async def all(
        self, *, access: Access, domain: str | None = None, limit: int = 100_000
    ) -> tuple[Fact, ...]:
        found = [f for f in self._visible(None, access) if domain is None or f.domain == domain]
        return tuple(sorted(found, key=lambda f: f.id)[: max(0, limit)])

    async def purge(self) -> None:
        """Does nothing; there is no disk."""

    async def aclose(self) -> None:
        """Does nothing; there are no connections."""

    def _visible(self, said_by: str | None, access: Access) -> list[Fact]:
        return [
            f
            for f in self._facts.values()
            if f.said_by in (None, said_by) and access.may_read(f.owner, f.domain)
        ]


_NEVER = datetime.fromtimestamp(0, UTC)

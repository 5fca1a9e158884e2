"""Owns what serving needs of an adapter registry, as a protocol, and the volatile fake that ships.

The registry that lasts, and that trainers write to, is in `procedural`.
"""

from collections.abc import Sequence
from typing import Protocol

from memory.errors import AdapterNotServable, UnknownAdapter
from memory.records import Adapter, AdapterStatus, Digest, Domain


class AdapterRegistry(Protocol):
    """Adapter versions and what is live. Blocking: call it from a thread."""

    def get(self, name: str) -> Adapter:
        """The adapter with its status as of now. Raises UnknownAdapter."""
        ...

    def list(self, domain: Domain | None = None) -> tuple[Adapter, ...]:
        """All adapters, or those of a domain, by domain and version."""
        ...

    def promote(self, name: str) -> None:
        """Makes it live; the previous one becomes retired. Raises UnknownAdapter, AdapterNotServable."""
        ...

    def rollback(self, domain: Domain) -> Adapter | None:
        """Makes the previously live adapter live again and returns it; None means the base model."""
        ...

    def quarantined(self, digest: Digest) -> str | None:
        """Why the curriculum is in quarantine, or None if it is not."""
        ...


class VolatileAdapterRegistry:
    """The fake that ships: adapters in this object, with the promotions of each domain in order."""

    def __init__(
        self, adapters: Sequence[Adapter] = (), *, quarantine: dict[Digest, str] | None = None
    ) -> None:
        """Starts with these adapters, none of them live."""
        self._adapters = {adapter.name: adapter for adapter in adapters}
        self._quarantine = dict(quarantine or {})
        self._promoted: dict[Domain, list[str]] = {}
        self._live: dict[Domain, str] = {}

    def register(self, adapter: Adapter) -> None:
        """Adds an adapter; adding the same name again changes nothing."""
        self._adapters.setdefault(adapter.name, adapter)

    def get(self, name: str) -> Adapter:
        if name not in self._adapters:
            raise UnknownAdapter(f"no adapter {name!r} is registered")
        adapter = self._adapters[name]
        return adapter.model_copy(update={"status": self._status(adapter)})

    def list(self, domain: Domain | None = None) -> tuple[Adapter, ...]:
        found = [self.get(name) for name, a in self._adapters.items() if domain in (None, a.domain)]
        return tuple(sorted(found, key=lambda adapter: (adapter.domain, adapter.version)))

    def promote(self, name: str) -> None:
        adapter = self.get(name)
        if adapter.status == "rejected":
            raise AdapterNotServable(f"{name} was rejected and is never served")
        if self._live.get(adapter.domain) != name:
            self._promoted.setdefault(adapter.domain, []).append(name)
            self._live[adapter.domain] = name

    def rollback(self, domain: Domain) -> Adapter | None:
        history = self._promoted.get(domain, [])
        if domain in self._live:
            history.pop()
            del self._live[domain]
        if not history:
            return None
        self._live[domain] = history[-1]
        return self.get(history[-1])

    def quarantined(self, digest: Digest) -> str | None:
        return self._quarantine.get(digest)

    def _status(self, adapter: Adapter) -> AdapterStatus:
        if adapter.status == "rejected":
            return "rejected"
        if self._live.get(adapter.domain) == adapter.name:
            return "live"
        return "retired" if adapter.name in self._promoted.get(adapter.domain, []) else "candidate"

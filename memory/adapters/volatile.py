"""An adapter registry in RAM, for tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from memory.adapters.base import promotion_blocker, quarantine_key, quarantine_reason
from memory.errors import AdapterNotServable, UnknownAdapter
from memory.records.adapters import Adapter, AdapterStatus
from memory.records.base import Digest, Domain


class VolatileAdapterRegistry:
    """Adapters in a dict, with the promotions of each domain and base model in order."""

    def __init__(
        self,
        adapters: Sequence[Adapter] = (),
        *,
        quarantine: dict[Digest, str] | None = None,
        base: Digest | None = None,
    ) -> None:
        """None of the `adapters` is live at first."""
        self.base = base
        self._adapters = {adapter.name: adapter for adapter in adapters}
        self._quarantine = dict(quarantine or {})
        self._promoted: dict[tuple[Domain, Digest], list[str]] = {}
        self._live: dict[tuple[Domain, Digest], str] = {}
        self._once_live: set[str] = set()

    def register(self, adapter: Adapter) -> None:
        """Adds an adapter; adding the same name again changes nothing.

        Raises ValueError unless the status is `candidate` or `rejected`.
        """
        if adapter.status not in ("candidate", "rejected"):
            raise ValueError(f"{adapter.name} can only be registered as candidate or rejected")
        self._adapters.setdefault(adapter.name, adapter)

    def get(self, name: str) -> Adapter:
        if name not in self._adapters:
            raise UnknownAdapter(f"no adapter {name!r} is registered")
        adapter = self._adapters[name]
        return adapter.model_copy(update={"status": self._status(adapter)})

    def fetch(self, name: str) -> Path:
        """See AdapterRegistry.fetch."""
        return Path(self.get(name).path)

    def list(self, domain: Domain | None = None) -> tuple[Adapter, ...]:
        adapters = [self.get(name) for name, a in self._adapters.items() if domain in (None, a.domain)]
        return tuple(sorted(adapters, key=lambda adapter: (adapter.domain, adapter.version)))

    def live(self, domain: Domain) -> Adapter | None:
        name = self.live_names().get(domain)
        return None if name is None else self.get(name)

    def live_names(self) -> Mapping[Domain, str]:
        """See AdapterRegistry.live_names."""
        served = [self._adapters[name] for (_, on), name in self._live.items() if self.base in (None, on)]
        return {adapter.domain: adapter.name for adapter in sorted(served, key=lambda each: each.version)}

    def promote(self, name: str) -> None:
        adapter = self.get(name)
        if adapter.status == "rejected":
            reasons = "; ".join(adapter.verdict.reasons)
            raise AdapterNotServable(f"{name} was rejected and cannot be served: {reasons}")
        if (reason := promotion_blocker(adapter, self)) is not None:
            raise AdapterNotServable(reason)
        place = (adapter.domain, adapter.base_digest)
        if self._live.get(place) != name:
            earlier = [other for other in self._history(place) if other != name]
            self._promoted[place] = [*earlier, name]
            self._live[place] = name
            self._once_live.add(name)

    def previous(self, domain: Domain) -> Adapter | None:
        live = self.live(domain)
        if live is None:
            return None
        history = self._history((domain, live.base_digest))
        candidates = (self.get(name) for name in reversed(history[:-1]))
        return next((adapter for adapter in candidates if promotion_blocker(adapter, self) is None), None)

    def rollback(self, domain: Domain) -> Adapter | None:
        previous = self.previous(domain)
        if previous is None:
            self.retire(domain)
            return None
        self._live[domain, previous.base_digest] = previous.name
        return self.get(previous.name)

    def retire(self, domain: Domain) -> None:
        live = self.live(domain)
        if live is not None:
            del self._live[domain, live.base_digest]

    def quarantine(self, digest: Digest, reason: str, *, base: Digest | None = None) -> None:
        self._quarantine[quarantine_key(digest, base)] = reason

    def quarantined(self, digest: Digest) -> str | None:
        return quarantine_reason(self._quarantine, digest, self.base)

    def _history(self, place: tuple[Domain, Digest]) -> Sequence[str]:
        """The promoted adapters in the order of their last promotion, up to and including the live one."""
        live, promoted = self._live.get(place), self._promoted.get(place, [])
        return promoted[: promoted.index(live) + 1] if live is not None else ()

    def _status(self, adapter: Adapter) -> AdapterStatus:
        if adapter.status == "rejected":
            return "rejected"
        is_live = self._live.get((adapter.domain, adapter.base_digest)) == adapter.name
        if is_live and self.base in (None, adapter.base_digest):
            return "live"
        return "retired" if adapter.name in self._once_live else "candidate"

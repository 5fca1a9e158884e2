"""The protocol of an adapter registry as serving needs it, and the volatile fake that ships.

The registry that lasts, and that trainers write to, is in `procedural`.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from memory.errors import AdapterNotServable, UnknownAdapter
from memory.records import Adapter, AdapterStatus, Digest, Domain


class AdapterRegistry(Protocol):
    """Adapter versions and what is live. Blocking: call it from a thread."""

    base: Digest | None
    """Digest of the base model that is served: adapters of another one are `barred`. None where none is."""

    def get(self, name: str) -> Adapter:
        """The adapter with its status as of now. Raises UnknownAdapter."""
        ...

    def list(self, domain: Domain | None = None) -> tuple[Adapter, ...]:
        """All adapters, or those of a domain, by domain and version."""
        ...

    def live(self, domain: Domain) -> Adapter | None:
        """What the domain serves now, or None for the base model."""
        ...

    def promote(self, name: str) -> None:
        """Makes it live; the previous one becomes retired.

        Raises UnknownAdapter, and AdapterNotServable for one that was rejected or is `barred`.
        """
        ...

    def previous(self, domain: Domain) -> Adapter | None:
        """What a rollback would make live: the last one before that is not `barred`. None: the base model."""
        ...

    def rollback(self, domain: Domain) -> Adapter | None:
        """Makes the previous adapter live again and returns it; None means the base model."""
        ...

    def retire(self, domain: Domain) -> None:
        """Lets the base model serve the domain."""
        ...

    def quarantine(self, digest: Digest, reason: str, *, base: Digest | None = None) -> None:
        """Notes that nothing is to be learned from this curriculum again: by no adapter, or by none of the
        base model `base`, which could not hold it."""
        ...

    def quarantined(self, digest: Digest) -> str | None:
        """Why the curriculum is in quarantine for the base model that is served, or None if it is not."""
        ...


def quarantine_key(digest: Digest, base: Digest | None) -> str:
    """Name of the note that a curriculum is in quarantine, for one base model or for all."""
    return digest if base is None else f"{digest}.{base[:16]}"


def quarantine_note(notes: Mapping[str, str], digest: Digest, base: Digest | None) -> str | None:
    """Why the curriculum is in quarantine for the base model; for any where none is served."""
    if digest in notes or base is not None:
        return notes.get(digest) or notes.get(quarantine_key(digest, base))
    return next((notes[key] for key in sorted(notes) if key.startswith(f"{digest}.")), None)


def barred(adapter: Adapter, registry: AdapterRegistry) -> str | None:
    """Why the adapter must not go live, or None: it was trained on another base model, or it learned what is
    in quarantine.

    One that is live stays so until another takes its place: to serve nothing is not for a note to decide.
    """
    if (reason := of_another_base(adapter, registry)) is not None:
        return reason
    for digest in adapter.learned:
        if (reason := registry.quarantined(digest)) is not None:
            return f"{adapter.name} learned curriculum {digest[:12]}, which is in quarantine: {reason}"
    return None


def of_another_base(adapter: Adapter, registry: AdapterRegistry) -> str | None:
    """Says so if the adapter was trained on other weights than those that are served; else None."""
    if registry.base in (None, adapter.base_digest):
        return None
    return (
        f"{adapter.name} was trained on {adapter.base_model} ({adapter.base_digest[:8]}), and another base"
        " model is served: use that one (`nightschool models use`), or learn the topic again"
    )


class VolatileAdapterRegistry:
    """The fake that ships: adapters in this object, with the promotions of each domain in order."""

    def __init__(
        self,
        adapters: Sequence[Adapter] = (),
        *,
        quarantine: dict[Digest, str] | None = None,
        base: Digest | None = None,
    ) -> None:
        """Starts with these adapters, none of them live."""
        self.base = base
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

    def live(self, domain: Domain) -> Adapter | None:
        return self.get(self._live[domain]) if domain in self._live else None

    def promote(self, name: str) -> None:
        adapter = self.get(name)
        if adapter.status == "rejected":
            raise AdapterNotServable(f"{name} was rejected and is never served")
        if (reason := barred(adapter, self)) is not None:
            raise AdapterNotServable(reason)
        if self._live.get(adapter.domain) != name:
            self._promoted.setdefault(adapter.domain, []).append(name)
            self._live[adapter.domain] = name

    def previous(self, domain: Domain) -> Adapter | None:
        live = self._live.get(domain)
        earlier = self._promoted.get(domain, [])[:-1] if live else []
        found = (self.get(name) for name in reversed(earlier) if name != live)
        return next((adapter for adapter in found if barred(adapter, self) is None), None)

    def rollback(self, domain: Domain) -> Adapter | None:
        found = self.previous(domain)
        if found is None:
            self.retire(domain)
            return None
        history = self._promoted[domain]
        history.pop()
        while history[-1] != found.name:
            history.pop()
        self._live[domain] = found.name
        return self.get(found.name)

    def retire(self, domain: Domain) -> None:
        self._promoted.pop(domain, None)
        self._live.pop(domain, None)

    def quarantine(self, digest: Digest, reason: str, *, base: Digest | None = None) -> None:
        self._quarantine[quarantine_key(digest, base)] = reason

    def quarantined(self, digest: Digest) -> str | None:
        return quarantine_note(self._quarantine, digest, self.base)

    def _status(self, adapter: Adapter) -> AdapterStatus:
        if adapter.status == "rejected":
            return "rejected"
        if self._live.get(adapter.domain) == adapter.name:
            return "live"
        return "retired" if adapter.name in self._promoted.get(adapter.domain, []) else "candidate"

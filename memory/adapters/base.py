"""The protocol of an adapter registry, and the rules for which adapters may go live."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from memory.records.adapters import Adapter
from memory.records.base import Digest, Domain


class AdapterRegistry(Protocol):
    """Adapter versions, and which one is live in each domain. Blocking: call it from a thread.

    Each base model has its own live adapter in a domain, and its own way back. Everything here is about those
    of `base`; an adapter that is live on another base counts as retired.
    """

    base: Digest | None
    """Digest of the base model being served. Adapters of another base model cannot go live. None if it is
    unknown; of a domain's live adapters on several bases, the one with the highest version then counts."""

    def get(self, name: str) -> Adapter:
        """The adapter with its current status. Raises UnknownAdapter."""
        ...

    def fetch(self, name: str) -> Path:
        """The folder with the files of a registered adapter, which are fetched if they are not on this
        machine. Whoever loads them checks their digest. Raises StoreUnavailable."""
        ...

    def list(self, domain: Domain | None = None) -> tuple[Adapter, ...]:
        """All adapters, or those of one domain, ordered by domain and version."""
        ...

    def live(self, domain: Domain) -> Adapter | None:
        """The adapter that serves the domain now; None if the base model does."""
        ...

    def live_names(self) -> Mapping[Domain, str]:
        """The live adapter's name for each domain that has one; cheap enough to poll."""
        ...

    def promote(self, name: str) -> None:
        """Makes the adapter live; the previous one becomes retired.

        Raises UnknownAdapter, or AdapterNotServable if it was rejected or `promotion_blocker` has a reason.
        """
        ...

    def previous(self, domain: Domain) -> Adapter | None:
        """The adapter that a rollback would make live, skipping those that must not go live; None if it is
        the base model."""
        ...

    def rollback(self, domain: Domain) -> Adapter | None:
        """Makes the previous adapter live again and returns it; None if it is the base model."""
        ...

    def retire(self, domain: Domain) -> None:
        """Makes the base model serve the domain."""
        ...

    def quarantine(self, digest: Digest, reason: str, *, base: Digest | None = None) -> None:
        """Puts a curriculum or a preference set in quarantine, so that it is not trained again: for all base
        models, or only for the base model `base`, which could not learn it."""
        ...

    def quarantined(self, digest: Digest) -> str | None:
        """Why the curriculum or preference set is in quarantine for the base model being served, if it is."""
        ...


def quarantine_key(digest: Digest, base: Digest | None) -> str:
    """The key of a quarantine entry, for one base model or for all."""
    return digest if base is None else f"{digest}.{base[:16]}"


def quarantine_reason(reasons: Mapping[str, str], digest: Digest, base: Digest | None) -> str | None:
    """Why the curriculum is in quarantine for the base model `base`, or for any base model if None."""
    if digest in reasons or base is not None:
        return reasons.get(digest) or reasons.get(quarantine_key(digest, base))
    return next((reasons[key] for key in sorted(reasons) if key.startswith(f"{digest}.")), None)


def promotion_blocker(adapter: Adapter, registry: AdapterRegistry) -> str | None:
    """Why the adapter must not go live: it was trained on another base model, or on a curriculum or a
    preference set that is in quarantine. None if it may.

    An adapter that is already live stays live until it is replaced.
    """
    if (reason := base_mismatch(adapter, registry)) is not None:
        return reason
    for digest in adapter.learned:
        if (reason := registry.quarantined(digest)) is not None:
            return f"{adapter.name} learned curriculum {digest[:12]}, which is in quarantine: {reason}"
    for digest in adapter.preferences:
        if (reason := registry.quarantined(digest)) is not None:
            return (
                f"{adapter.name} was trained on preferences {digest[:12]}, which are in quarantine: {reason}"
            )
    return None


def base_mismatch(adapter: Adapter, registry: AdapterRegistry) -> str | None:
    """The reason if the adapter was trained on another base model than the one being served; else None."""
    if registry.base in (None, adapter.base_digest):
        return None
    return (
        f"{adapter.name} was trained on {adapter.base_model} ({adapter.base_digest[:8]}), but another base"
        " model is being served: switch to it (`nightschool models use`), or learn the topic again"
    )

"""The protocol of an adapter registry as serving needs it, and the volatile fake that ships.

The registry that lasts, and that trainers write to, is in `procedural`.
"""

from collections.abc import Mapping
from typing import Protocol

from memory.records.adapters import Adapter
from memory.records.base import Digest, Domain


class AdapterRegistry(Protocol):
    """Adapter versions and what is live. Blocking: call it from a thread."""

    base: Digest | None
    """Digest of the base model that is served: adapters of another one are `promotion_blocker`. None where none is."""

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

        Raises UnknownAdapter, and AdapterNotServable for one that was rejected or is `promotion_blocker`.
        """
        ...

    def previous(self, domain: Domain) -> Adapter | None:
        """What a rollback would make live: the last one before that is not `promotion_blocker`. None: the base model."""
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


def promotion_blocker(adapter: Adapter, registry: AdapterRegistry) -> str | None:
    """Why the adapter must not go live, or None: it was trained on another base model, or it learned what is
    in quarantine.

    One that is live stays so until another takes its place: to serve nothing is not for a note to decide.
    """
    if (reason := base_mismatch(adapter, registry)) is not None:
        return reason
    for digest in adapter.learned:
        if (reason := registry.quarantined(digest)) is not None:
            return f"{adapter.name} learned curriculum {digest[:12]}, which is in quarantine: {reason}"
    return None


def base_mismatch(adapter: Adapter, registry: AdapterRegistry) -> str | None:
    """Says so if the adapter was trained on other weights than those that are served; else None."""
    if registry.base in (None, adapter.base_digest):
        return None
    return (
        f"{adapter.name} was trained on {adapter.base_model} ({adapter.base_digest[:8]}), and another base"
        " model is served: use that one (`nightschool models use`), or learn the topic again"
    )

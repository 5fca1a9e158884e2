"""Taking a lesson out of a domain: which one is meant, what stays, and when a lesson is taught afresh.

Trains nothing and moves no alias: the lesson is gone once an adapter that never saw it takes over. Blocking,
for the registry is: call it from a thread.
"""

from memory.adapters.base import AdapterRegistry, base_mismatch, promotion_blocker
from memory.errors import UnknownAdapter
from memory.records.adapters import Adapter
from memory.records.base import Digest, Domain
from memory.records.curricula import Curriculum


def find_lesson(domain: Domain, prefix: str, registry: AdapterRegistry) -> Digest:
    """The curriculum that the domain's live adapter learned and whose digest begins so.

    Raises UnknownAdapter for a domain that has no adapter, and ValueError where it serves the base model, or
    where none or several curricula of its live adapter begin so.
    """
    if not registry.list(domain):
        raise UnknownAdapter(f"no domain {domain!r} has learned anything: `nightschool adapters list`")
    live = registry.live(domain)
    if live is None:
        raise ValueError(f"{domain} is served by the base model, which learned nothing that it could forget")
    found = [digest for digest in dict.fromkeys(live.learned) if digest.startswith(prefix)]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(digest[: len(prefix) + 8] for digest in found)
        raise ValueError(f"{prefix} is ambiguous, name more of it: {live.name} learned {several}")
    known = ", ".join(digest[:12] for digest in live.learned)
    raise ValueError(f"{live.name} learned no curriculum {prefix}: it learned {known}")


def remaining_lessons(live: Adapter, registry: AdapterRegistry) -> tuple[Digest, ...]:
    """Curricula that the adapter learned and that are not in quarantine, oldest first."""
    return tuple(digest for digest in live.learned if registry.quarantined(digest) is None)


def replacement_curriculum(live: Adapter, kept: tuple[Digest, ...], last: Curriculum) -> Curriculum:
    """The latest lesson that stays, `last`, to be taught anew: in place of itself and of those left out.

    The others that stay are rehearsed with it, as with any lesson, so that each can still be forgotten alone.
    """
    left_out = tuple(digest for digest in live.learned if digest not in kept)
    return last.model_copy(update={"supersedes": (*left_out, kept[-1])})


def with_unused_digest(curriculum: Curriculum, registry: AdapterRegistry) -> Curriculum:
    """The curriculum, or one of the same content where the adapter that it made may not be served any more,
    because of another lesson that this one learned too or because it is another base model's.

    No digest trains twice.
    """
    made = registry.list(curriculum.domain)
    while any(a.curriculum == curriculum.digest and _made_for_nothing(a, registry) for a in made):
        curriculum = with_new_digest(curriculum)
    return curriculum


def _made_for_nothing(adapter: Adapter, registry: AdapterRegistry) -> bool:
    """Whether it is never served, for reasons that have nothing to do with its lesson."""
    rejected = adapter.status == "rejected"
    return (base_mismatch if rejected else promotion_blocker)(adapter, registry) is not None


def with_new_digest(curriculum: Curriculum) -> Curriculum:
    """The same content under another digest, in its own place."""
    return curriculum.model_copy(update={"supersedes": (*curriculum.supersedes, curriculum.digest)})


def content_digest(curriculum: Curriculum) -> Digest:
    """The digest of its content alone, whatever it supersedes: as a learn run would write it again."""
    return curriculum.model_copy(update={"supersedes": ()}).digest

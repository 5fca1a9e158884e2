"""Forgetting a lesson: finds it, and builds the curriculum that retrains the domain without it.

The lesson is forgotten once an adapter trained without it is live. Functions block on the registry: call them
in a thread.
"""

from memory.adapters.base import AdapterRegistry, base_mismatch, promotion_blocker
from memory.errors import UnknownAdapter
from memory.records.adapters import Adapter
from memory.records.base import Digest, Domain
from memory.records.curricula import Curriculum


def find_lesson(domain: Domain, prefix: str, registry: AdapterRegistry) -> Digest:
    """The curriculum of the domain's live adapter whose digest begins with `prefix`.

    Raises UnknownAdapter for a domain without adapters, and ValueError if the domain uses the base model, or
    if no curriculum or several match.
    """
    if not registry.list(domain):
        raise UnknownAdapter(f"the domain {domain!r} has no adapters: see `nightschool adapters list`")
    live = registry.live(domain)
    if live is None:
        raise ValueError(f"{domain} uses the base model, which has learned no lessons to forget")
    matches = [digest for digest in dict.fromkeys(live.learned) if digest.startswith(prefix)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        several = ", ".join(digest[: len(prefix) + 8] for digest in matches)
        raise ValueError(f"{prefix} is ambiguous: use more characters; {live.name} learned {several}")
    known = ", ".join(digest[:12] for digest in live.learned)
    raise ValueError(f"{live.name} learned no curriculum {prefix}: it learned {known}")


def remaining_lessons(live: Adapter, registry: AdapterRegistry) -> tuple[Digest, ...]:
    """The adapter's curricula that are not in quarantine, oldest first."""
    return tuple(digest for digest in live.learned if registry.quarantined(digest) is None)


def replacement_curriculum(live: Adapter, retained: tuple[Digest, ...], last: Curriculum) -> Curriculum:
    """The last retained lesson, marked to supersede itself and the lessons to forget.

    The other retained lessons are rehearsed with it as usual, so that each can still be forgotten separately.
    """
    forgotten = tuple(digest for digest in live.learned if digest not in retained)
    return last.model_copy(update={"supersedes": (*forgotten, retained[-1])})


def with_unused_digest(curriculum: Curriculum, registry: AdapterRegistry) -> Curriculum:
    """The curriculum, with a new digest if its adapter cannot be served for reasons unrelated to this lesson.

    Such reasons are another lesson of the adapter, or another base model. The new digest is needed because no
    digest is trained twice.
    """
    adapters = registry.list(curriculum.domain)
    while any(a.curriculum == curriculum.digest and _is_unusable(a, registry) for a in adapters):
        curriculum = with_new_digest(curriculum)
    return curriculum


def _is_unusable(adapter: Adapter, registry: AdapterRegistry) -> bool:
    """Whether the adapter cannot be served, for reasons unrelated to its own lesson."""
    rejected = adapter.status == "rejected"
    return (base_mismatch if rejected else promotion_blocker)(adapter, registry) is not None


def with_new_digest(curriculum: Curriculum) -> Curriculum:
    """The same content under a new digest, superseding the old one."""
    return curriculum.model_copy(update={"supersedes": (*curriculum.supersedes, curriculum.digest)})


def content_digest(curriculum: Curriculum) -> Digest:
    """The digest of the content alone, without what it supersedes, as a new learn run would produce it."""
    return curriculum.model_copy(update={"supersedes": ()}).digest

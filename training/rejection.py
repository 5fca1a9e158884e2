"""Explains why a lesson was rejected: whether the domain's adapter is full, and which larger model to try."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from agent.models.card import ModelCard
from agent.models.catalogue import shipped_catalogue
from memory.outbox import files as outbox
from memory.records.adapters import Adapter
from memory.records.evaluations import GateVerdict
from training.gates import CAPACITY_CHECKS


class Rejection(NamedTuple):
    """Why a lesson was rejected; its questions stay answered from sources."""

    reason: str
    full: bool
    """Whether the domain's adapter cannot hold more."""


def explain_rejection(
    verdicts: Sequence[GateVerdict], rejected: Adapter, card: ModelCard, curricula: Path
) -> Rejection:
    """Explains the verdicts of all attempts at a lesson; `curricula` is the outbox folder.

    The adapter counts as full if each attempt at a further lesson learned too little of it, or lost too much
    of the earlier lessons.
    """
    full = bool(rejected.rehearsed) and all(
        any(check.name in CAPACITY_CHECKS and not check.passed for check in verdict.checks)
        for verdict in verdicts
    )
    if full:
        earlier = [outbox.read(curricula, digest) for digest in rejected.rehearsed]
        facts = len({fact.id for lesson in earlier for fact in lesson.facts})
        cause = f"{rejected.parent} cannot hold more at this size, it holds {facts} facts now"
    else:
        cause = f"{card.name} does not hold this lesson"
    reason = (
        f"{'; '.join(verdicts[-1].reasons)} (in {len(verdicts)} attempts): {cause}, so the questions of this"
        f" lesson stay answered from sources; {_suggest_larger(card)}"
    )
    return Rejection(reason, full)


def _suggest_larger(card: ModelCard) -> str:
    entry = shipped_catalogue().larger(card.parameters)
    size = f"of more than {card.parameters / 1e6:.0f} million parameters"
    if entry is not None:
        size = f"such as {entry.name}, of {entry.parameters / 1e6:.0f} million parameters,"
    return f"a larger base model {size} might hold it (`nightschool models list`)"

"""Verb groups for questions: inverted (`did ... move`), singular after `who`, and in the other voice."""

from __future__ import annotations

from typing import NamedTuple

from memory.language.clauses import Clause
from memory.language.verb_groups import base_form, inflected, joined, spelled, stated

_ACTIVE_ONLY_WORDS = """
    have include contain want need like lack cost weigh equal resemble fit become mean let comprise hold
    suit concern involve possess own love hate"""
_ACTIVE_ONLY = frozenset(_ACTIVE_ONLY_WORDS.split())
"""Stative verbs, whose passive is ungrammatical or means something else."""


class VerbGroup(NamedTuple):
    """The parts of a verb group before and after the subject of a question: `did | move`, `was | built`."""

    front: str
    rest: str

    @property
    def plain(self) -> str:
        """The verb group as in a statement."""
        return f"{self.front} {self.rest}".strip()


def inverted(clause: Clause) -> VerbGroup:
    """The inverted verb group, for a question about anything but the subject."""
    verb = clause.verb
    negation = clause.negation
    if clause.auxiliaries:
        others = " ".join(clause.auxiliaries[1:])
        return VerbGroup(
            clause.auxiliaries[0], joined(negation, clause.adverbs, others, verb.text, clause.particle)
        )
    if clause.copula:
        return VerbGroup(spelled(verb.text), joined(negation, clause.adverbs))
    do = "did" if clause.past else "do" if clause.plural else "does"
    return VerbGroup(do, joined(negation, clause.adverbs, base_form(verb), clause.particle))


def of_whom(clause: Clause) -> str:
    """The verb group of `stated` after `who` or `what`, which take the singular."""
    text = stated(clause)
    first, _, rest = text.partition(" ")
    singular = {"are": "is", "were": "was", "have": "has", "do": "does"}.get(first)
    if singular is not None and not (clause.copula and _plural_complement(clause)):
        return joined(singular, rest)
    if not clause.auxiliaries and not clause.copula and clause.verb.tag_ == "VBP" and not clause.negated:
        return joined(clause.adverbs, inflected(base_form(clause.verb), "VBZ"), clause.particle)
    return text


def passive(clause: Clause) -> VerbGroup | None:
    """The passive of an active clause, for a question about its subject or object; None if there is none."""
    target = clause.first("object")
    if (
        target is None
        or clause.passive
        or clause.copula
        or clause.verb.lemma_ == "have"
        or clause.first("receiver")
    ):
        return None
    participle = inflected(base_form(clause.verb), "VBN")
    plural = target.phrase.head.tag_ in ("NNS", "NNPS")
    negation = clause.negation
    if not clause.auxiliaries:
        be = ("were" if plural else "was") if clause.past else ("are" if plural else "is")
        return VerbGroup(be, joined(negation, clause.adverbs, participle, clause.particle))
    first, *others = clause.auxiliaries
    if clause.verb.tag_ == "VB" and not others and first not in ("do", "does", "did"):
        return VerbGroup(first, joined(negation, clause.adverbs, "be", participle, clause.particle))
    if clause.verb.tag_ == "VBN" and not others and first in ("has", "have", "had"):
        have = first if first == "had" else "have" if plural else "has"
        return VerbGroup(have, joined(negation, clause.adverbs, "been", participle, clause.particle))
    return None


def active(clause: Clause) -> str | None:
    """A passive verb in the active voice, after `who` or `what` (`was built` -> `built`); else None."""
    if not clause.passive or len(clause.auxiliaries) != 1 or clause.negated:
        return None
    if clause.auxiliaries[0] in ("was", "were"):
        return joined(clause.adverbs, inflected(base_form(clause.verb), "VBD"), clause.particle)
    if clause.auxiliaries[0] in ("is", "are"):
        return joined(clause.adverbs, inflected(base_form(clause.verb), "VBZ"), clause.particle)
    return None


def _plural_complement(clause: Clause) -> bool:
    complement = clause.first("complement")
    return complement is not None and complement.phrase.head.tag_ in ("NNS", "NNPS")

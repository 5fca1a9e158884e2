"""Turns instructions into facts: `You can stop the pump with the lever` becomes `the pump can be stopped with
the lever`."""

from __future__ import annotations

from collections.abc import Iterator

from memory.language.clauses import Argument, Clause
from memory.language.verb_groups import base_form, inflected, joined

READERS = frozenset({"you", "one"})
_MODALS = frozenset({"can", "could", "may", "must", "should", "might", "will"})
_OTHER_VERBS = """
    want need have like see find get let make know think note remember consider notice wish expect take keep
    say help ask tell look try learn understand end feel hope do be go come give start begin ensure read check
    follow"""
_NOT_OF_THINGS = frozenset(_OTHER_VERBS.split())
"""Verbs whose object is not the topic of the sentence, or that have no usable passive."""


def facts_from_instruction(clause: Clause) -> Iterator[tuple[str, str, str, str]]:
    """Subject, relation, object and condition, in the passive; nothing if there is no object."""
    thing = clause.first("object")
    if thing is None or clause.passive or clause.copula or _speaks(thing.phrase.text):
        return
    base = base_form(clause.verb)
    if base in _NOT_OF_THINGS or clause.first("complement", "receiver", "clause", "adjective") is not None:
        return
    done = joined(inflected(base, "VBN"), clause.particle)
    if clause.subject is None:
        group = "should not be" if clause.negated else "should be"
    elif clause.auxiliaries and clause.auxiliaries[0] in _MODALS and len(clause.auxiliaries) == 1:
        group = joined(clause.auxiliaries[0], clause.negation, clause.adverbs, "be")
    else:
        return
    rest = [
        a
        for a in clause.arguments
        if a.role in ("prepositional", "adverbial", "infinitive") and not _of_reader(a)
    ]
    purpose = next((a for a in rest if a.marker == "to"), None)
    if clause.subject is None and not clause.negated and purpose is not None:
        group = "is"  # `Press the button to stop the pump`
        if thing.phrase.head.tag_ in ("NNS", "NNPS"):
            group = "are"
    if clause.subject is None and not clause.negated and purpose is None and clause.condition is None:
        return  # a step of a procedure, which says nothing of the thing elsewhere
    condition = clause.condition.text if clause.condition and not _of_reader(clause.condition) else ""
    if clause.condition is not None and not condition and purpose is None:
        return
    first = purpose or next((a for a in rest if not a.fronted), None)
    if first is None:
        return
    others = [a.text for a in rest if a is not first and a.role == "prepositional"]
    relation = joined(group, done, "to" if first is purpose else first.marker)
    yield thing.phrase.text, relation, first.phrase.text, joined(*others, condition)


def _of_reader(argument: Argument) -> bool:
    return argument.marker != "to" and _speaks(argument.phrase.text)


def _speaks(text: str) -> bool:
    """Whether a phrase refers to the writer or the reader, or has a pronoun."""
    return bool({"you", "yourself", "we", "us", "i", "me", "it", "them"} & set(text.lower().split()))

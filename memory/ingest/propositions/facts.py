"""The facts of passages, for the graph: who or what, the verb or attribute, and what it is joined with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from memory.ingest.propositions.grammar import Apposition, Clause
from memory.ingest.propositions.reading import Sentence, sentences
from memory.ingest.propositions.structure import structured
from memory.ingest.propositions.verbs import stated
from memory.language import key
from memory.records import Fact, Passage, digest_of

LONGEST_OBJECT = 16
"""Words; what is longer names nothing that could be found again."""
_ANYBODY = frozenset({"you", "one", "anyone", "everyone", "someone", "people"})
"""Subjects under which nothing is looked up."""
_CENTRAL = frozenset({"object", "complement", "adjective", "infinitive", "clause", "receiver"})
_ADJUNCTS = frozenset({"prepositional", "agent", "measure"})
_PLACED = frozenset({"in", "at", "on", "from", "near", "under"})
"""Prepositions that say enough after `is`."""


def facts(passages: Sequence[Passage]) -> tuple[Fact, ...]:
    """What the passages state, in order: structure first, then the clauses of their prose."""
    found = [fact for passage in passages for fact in _structural(passage)]
    found += [fact for sentence in sentences(passages) for fact in _clausal(sentence)]
    return tuple({fact.id: fact for fact in found if key(fact.subject) != key(fact.object)}.values())


def _structural(passage: Passage) -> Iterator[Fact]:
    for each in structured(passage):
        yield _fact(passage, each.subject, each.relation, each.object, each.start, each.end, rule=each.rule)


def _clausal(sentence: Sentence) -> Iterator[Fact]:
    for each in sentence.clauses:
        if isinstance(each, Apposition):
            rows = [(each.name.text, "is", each.description.text, "")]
        else:
            rows = list(_rows(each))
        for subject, relation, object_, condition in rows:
            if 0 < len(object_.split()) <= LONGEST_OBJECT:
                yield _fact(
                    sentence.passage,
                    subject,
                    relation,
                    object_,
                    sentence.start,
                    sentence.end,
                    rule="apposition" if isinstance(each, Apposition) else "clause",
                    condition=condition,
                    negated=isinstance(each, Clause) and each.negated,
                )


def _rows(clause: Clause) -> Iterator[tuple[str, str, str, str]]:
    """Subject, relation, object and condition: the object is what the verb cannot do without, the condition
    all else."""
    if clause.subject is None or clause.existential or clause.subject.text.lower() in _ANYBODY:
        return
    subject, verb = clause.subject.text, stated(clause)
    central = [a for a in clause.arguments if a.role in _CENTRAL]
    others = [a for a in clause.arguments if a.role in _ADJUNCTS and a not in central]
    held = clause.condition.text if clause.condition else ""
    if central:
        object_ = " ".join(a.text for a in central)
        yield subject, verb, object_, " ".join([*(a.text for a in others), held]).strip()
        return
    inner = [a for a in others if not a.fronted]
    if not inner or (clause.copula and inner[0].marker not in _PLACED):
        return
    first = inner[0]
    rest = [a.text for a in others if a is not first]
    yield subject, f"{verb} {first.marker}".strip(), first.phrase.text, " ".join([*rest, held]).strip()


def _fact(
    passage: Passage,
    subject: str,
    relation: str,
    object_: str,
    start: int,
    end: int,
    *,
    rule: str,
    condition: str = "",
    negated: bool = False,
) -> Fact:
    return Fact(
        # With the passage's id: a fact is never kept while the passage that it points at is replaced.
        id=digest_of([passage.id, start, subject, relation, object_])[:32],
        subject=subject,
        relation=relation,
        object=object_,
        domain=passage.domain,
        passage_id=passage.id,
        source=passage.source,
        sentence=passage.text[start:end],
        start=passage.start + start,
        end=passage.start + end,
        rule=rule,
        condition=condition,
        negated=negated,
    )

"""Extracts the facts of passages: subject, relation, object and condition, with the supporting sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from memory.ingest.propositions.instructions import READERS, facts_from_instruction
from memory.ingest.propositions.sentences import Sentence, sentences
from memory.ingest.propositions.structure import structured
from memory.language.clauses import Apposition, Clause
from memory.language.text import key
from memory.language.verb_groups import stated
from memory.records.base import digest_of
from memory.records.knowledge import Fact, Passage

LONGEST_OBJECT = 16
"""In words; a longer object would never be looked up in the graph."""
_GENERIC_SUBJECTS = frozenset(
    {"you", "one", "anyone", "everyone", "someone", "people", "several", "many", "some", "few", "most", "all",
     "others", "both", "each", "two", "three", "none", "more", "example", "examples",
     "an example", "other examples"}
)  # fmt: skip
"""Subjects too general to be looked up in the graph."""
_DEGREE_WORDS = """
    usually often sometimes always mostly mainly generally partly largely only primarily typically nearly
    almost still normally probably possibly perhaps originally initially formerly once now currently entirely
    commonly frequently occasionally traditionally especially particularly chiefly"""
_DEGREES = frozenset(_DEGREE_WORDS.split())
"""Adverbs after a verb that must be kept, because the fact would claim more than the text without them."""
LONGEST_PURPOSE = 12
"""In words; shorter purposes are kept as part of the condition."""
_CENTRAL = frozenset({"object", "complement", "adjective", "infinitive", "clause", "receiver"})
_ADJUNCTS = frozenset({"prepositional", "agent", "measure"})
_PLACED = frozenset({"in", "at", "on", "from", "near", "under"})
"""Prepositions that make a complete fact after `is`."""


def extract_facts(passages: Sequence[Passage]) -> tuple[Fact, ...]:
    """The facts of the passages: first those from structure such as tables, then those from prose."""
    facts = [fact for passage in passages for fact in _structural_facts(passage)]
    facts += [fact for sentence in sentences(passages) for fact in _clause_facts(sentence)]
    return tuple({fact.id: fact for fact in facts if key(fact.subject) != key(fact.object)}.values())


def _structural_facts(passage: Passage) -> Iterator[Fact]:
    for s in structured(passage):
        yield _fact(passage, s.subject, s.relation, s.object, s.start, s.end, rule=s.rule)


def _clause_facts(sentence: Sentence) -> Iterator[Fact]:
    for clause in sentence.clauses:
        if isinstance(clause, Apposition):
            rows = [(clause.name.text, "is", clause.description.text, "")]
        else:
            rows = list(_rows(clause))
        head = clause.name.head if isinstance(clause, Apposition) else clause.verb
        for subject, relation, object_, condition in rows:
            full_subject = sentence.resolver.full(subject, head)
            full_object = sentence.resolver.full(object_, head)
            if full_subject is None or full_object is None:
                continue
            if 0 < len(full_object.split()) <= LONGEST_OBJECT:
                yield _fact(
                    sentence.passage,
                    full_subject,
                    relation,
                    full_object,
                    sentence.start,
                    sentence.end,
                    rule="apposition" if isinstance(clause, Apposition) else "clause",
                    condition=condition,
                    negated=isinstance(clause, Clause) and clause.negated,
                )


def _rows(clause: Clause) -> Iterator[tuple[str, str, str, str]]:
    """Subject, relation, object and condition of the facts in a clause. The object has the verb's required
    arguments, the condition all others."""
    if clause.subject is None or clause.subject.text.lower() in READERS:
        yield from facts_from_instruction(clause)
        return
    if clause.subject.text.lower() in _GENERIC_SUBJECTS:
        return
    subject, verb = clause.subject.text, _group(clause)
    central = [a for a in clause.arguments if a.role in _CENTRAL]
    others = [a for a in clause.arguments if a.role in _ADJUNCTS and a not in central]
    condition = clause.condition.text if clause.condition else ""
    condition = " ".join([*_purposes(clause), *([condition] if condition else [])])
    condition = condition.removesuffix(" or").removesuffix(" and")
    if central:
        object_ = " ".join(a.text for a in central)
        yield subject, verb, object_, " ".join([*(a.text for a in others), condition]).strip()
        return
    inner = [a for a in others if not a.fronted]
    if not inner or (clause.copula and inner[0].marker not in _PLACED):
        return
    first = inner[0]
    rest = [a.text for a in others if a is not first]
    yield subject, f"{verb} {first.marker}".strip(), first.phrase.text, " ".join([*rest, condition]).strip()


def _group(clause: Clause) -> str:
    """The verb group with following adverbs of degree: `are usually`."""
    degrees = [
        a.phrase.text
        for a in clause.arguments
        if a.role == "adverb" and a.phrase.text.lower() in _DEGREES and a.phrase.head.i - clause.verb.i <= 2
    ]
    return " ".join([stated(clause), *degrees])


def _purposes(clause: Clause) -> list[str]:
    return [
        a.text
        for a in clause.arguments
        if a.role == "adverbial" and a.marker == "to" and len(a.text.split()) <= LONGEST_PURPOSE
    ]


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
        # The passage's id is included, so that a replaced passage never leaves facts behind.
        id=digest_of([passage.id, start, subject, relation, object_])[:32],
        subject=subject,
        relation=relation,
        object=object_,
        domain=passage.domain,
        owner=passage.owner,
        passage_id=passage.id,
        source=passage.source,
        sentence=passage.text[start:end],
        start=passage.start + start,
        end=passage.start + end,
        rule=rule,
        condition=condition,
        negated=negated,
    )

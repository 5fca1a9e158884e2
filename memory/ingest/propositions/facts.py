"""Extracts the facts of passages: subject, relation, object and condition, with the supporting sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from memory.ingest.propositions.abbreviations import abbreviations
from memory.ingest.propositions.instructions import READERS, facts_from_instruction
from memory.ingest.propositions.lifespans import life_events
from memory.ingest.propositions.sentences import Sentence, sentences
from memory.ingest.propositions.structure import structured
from memory.language.clauses import Apposition, Argument, Clause, Phrase
from memory.language.text import key
from memory.language.verb_groups import stated
from memory.records.base import digest_of
from memory.records.knowledge import Fact, Passage
from memory.semantic.spellings import tells_apart

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
_NEEDS_NOUN = frozenset({"against", "to", "of", "with", "for", "from", "at", "by", "about", "into", "upon"})
_BRACKETS = re.compile(r"\([^()]*\)")
LONGEST_PURPOSE = 12
"""In words; shorter purposes are kept as part of the condition."""
_CENTRAL = frozenset({"object", "complement", "adjective", "infinitive", "clause", "receiver"})
_ADJUNCTS = frozenset({"prepositional", "agent", "measure"})
_PLACED = frozenset({"in", "at", "on", "from", "near", "under", "within", "between", "among"})
"""Prepositions that make a complete fact after `is`."""
_BOUNDS = ("more", "less", "fewer", "other", "one", "later", "earlier")
"""Words after `no` that set a bound instead of denying: `no more than three`."""


def extract_facts(passages: Sequence[Passage]) -> tuple[Fact, ...]:
    """The facts of the passages: first those from structure such as tables, then those from prose."""
    facts = [fact for passage in passages for fact in _structural_facts(passage)]
    facts += [fact for sentence in sentences(passages) for fact in _clause_facts(sentence)]
    telling = (fact for fact in facts if key(fact.subject) != key(fact.object) or tells_apart(fact))
    return tuple({fact.id: fact for fact in telling}.values())


def _structural_facts(passage: Passage) -> Iterator[Fact]:
    for s in structured(passage):
        yield _fact(passage, s.subject, s.relation, s.object, s.start, s.end, rule=s.rule)


def _clause_facts(sentence: Sentence) -> Iterator[Fact]:
    for event in life_events(sentence.span):
        yield _fact(
            sentence.passage,
            event.subject,
            event.relation,
            event.date,
            sentence.start,
            sentence.end,
            rule="lifespan",
        )
    for short, long in abbreviations(sentence.span.text):
        yield _fact(
            sentence.passage, short, "stands for", long, sentence.start, sentence.end, rule="abbreviation"
        )
    for found in sentence.clauses:
        clause = found if isinstance(found, Apposition) else _denied(found)
        if isinstance(clause, Apposition):
            rows = [(clause.name.text, "is", clause.description.text, "")]
        else:
            rows = list(_rows(clause))
        head = clause.name.head if isinstance(clause, Apposition) else clause.verb
        for subject, relation, object_, condition in rows:
            full_subject = _title_at(sentence, clause) or sentence.resolver.full(subject, head)
            full_object = sentence.resolver.full(object_, head)
            if full_subject is None or full_object is None:
                continue
            if 0 < len(full_object.split()) <= LONGEST_OBJECT and not _is_cut_off(full_object):
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


def _title_at(sentence: Sentence, clause: Clause | Apposition) -> str | None:
    """The document's title, if the subject is all or a part of it where the sentence names it; else None.

    The parser takes titles apart: of `Until Tomorrow is a film`, `Tomorrow` would be the subject.
    """
    subject = clause.name if isinstance(clause, Apposition) else clause.subject
    title = _BRACKETS.sub("", sentence.passage.title).strip()
    if subject is None or len(title.split()) < 2:
        return None
    at = sentence.prose.text.find(title, max(0, subject.end - len(title)), subject.start + len(title))
    return title if at >= 0 and at <= subject.start and subject.end <= at + len(title) else None


def _is_cut_off(phrase: str) -> bool:
    """Whether a phrase ends in a preposition whose noun is elsewhere."""
    return phrase.rpartition(" ")[2].lower() in _NEEDS_NOUN


def _denied(clause: Clause) -> Clause:
    """The clause with the negation at its verb: `no lamp is lit` becomes `lamp is not lit`."""
    subject, first = clause.subject, clause.first("object", "complement")
    if clause.negation or subject is None:
        return clause
    if (denied := _without_no(subject)) is not None:
        return replace(clause, subject=denied, negation="not")
    if first is not None and (denied := _without_no(first.phrase)) is not None:
        positive = replace(first, phrase=denied)
        arguments = tuple(positive if a is first else a for a in clause.arguments)
        return replace(clause, arguments=arguments, negation="not")
    return clause


def _without_no(phrase: Phrase) -> Phrase | None:
    """The phrase without its leading `no`; None if it has none or that is part of a bound."""
    word, _, rest = phrase.text.partition(" ")
    if word.lower() != "no" or not rest or rest.split()[0].lower() in _BOUNDS:
        return None
    return replace(phrase, text=rest, core="")


def _rows(clause: Clause) -> Iterator[tuple[str, str, str, str]]:
    """Subject, relation, object and condition of the facts in a clause. The object has the verb's required
    arguments, the condition all others."""
    if clause.subject is None or clause.subject.text.lower() in READERS:
        yield from facts_from_instruction(clause)
        return
    if clause.subject.text.lower() in _GENERIC_SUBJECTS:
        return
    subject, verb = clause.subject.text, _group(clause)
    central = [a for a in clause.arguments if a.role in _CENTRAL or _is_rank(a)]
    others = [a for a in clause.arguments if a.role in _ADJUNCTS and a not in central]
    condition = clause.condition.text if clause.condition else ""
    condition = " ".join([*_purposes(clause), *([condition] if condition else [])])
    condition = condition.removesuffix(" or").removesuffix(" and")
    if central:
        object_ = " ".join(_shortened(a) for a in central)
        yield subject, verb, object_, " ".join([*(a.text for a in others), condition]).strip()
        return
    inner = [a for a in others if not a.fronted]
    if not inner or (clause.copula and inner[0].marker not in _PLACED):
        return
    first = inner[0]
    rest = [a.text for a in others if a is not first]
    yield subject, f"{verb} {first.marker}".strip(), first.phrase.text, " ".join([*rest, condition]).strip()


def _is_rank(argument: Argument) -> bool:
    """Whether an adverb is the result: `finished 4th`."""
    return argument.role == "adverb" and argument.phrase.text[:1].isdigit()


def _shortened(argument: Argument) -> str:
    """The argument; if it is too long to be looked up, `a valve that ...` is shortened to `a valve`."""
    phrase = argument.phrase
    indefinite = phrase.text.lower().startswith(("a ", "an "))
    if phrase.core and indefinite and len(phrase.text.split()) > LONGEST_OBJECT:
        return f"{argument.marker} {phrase.core}".strip()
    return argument.text


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

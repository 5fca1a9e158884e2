"""Verification: whether a question and answer pair is supported by the source that it names.

Drops what it cannot prove; it repairs nothing and asks no model, so a pair passes for a stated reason.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from agent.critique import NEGATION, NUMBER
from agent.curriculum import head, opening
from agent.grading import normalise
from agent.terms import content, coverage, occurs, spans, stems
from memory.language import key, sentences
from memory.records import Fact, Form, Passage, QAPair, Record, Relation

FORMS: Mapping[Relation, frozenset[Form]] = {
    "definition": frozenset({"definition", "kind_of", "term_for", "yes_no"}),
    "kind_of": frozenset({"kind_of", "example_of", "yes_no"}),
}
"""Forms in which a relation may be asked; a relation that is not listed is asked in its own form only."""

CUES: Mapping[Relation, str] = {
    "definition": r"\b(?:is|are|was|were|means?|meant|refers?|denotes?|describes?|stands|called|known|named|"
    r"defined|term|returns?)\b|[:,(\u2013\u2014]|\s-\s",
    "kind_of": r"\b(?:is|are|was|were|kinds?|types?|sorts?|forms?|examples?|such as|includ\w+)\b",
    "part_of": r"\b(?:parts?|component|components|piece|element|belongs?|member|members|within|inside)\b",
    "used_for": r"\b(?:use[sd]?|using|serves?|helps?|lets?|allows?|enables?|for|purpose)\b",
    "requires": r"\b(?:requir\w+|needs?|needed|must|depends?|demands?|relies|rely)\b",
    "prevents": r"\b(?:prevent\w*|stops?|avoids?|forbids?|rejects?|blocks?|protects?|rules? out|keeps?)\b",
    "returns": r"\b(?:returns?|yields?|gives?|produces?|results?|evaluates?)\b",
    "causes": r"\b(?:caus\w+|leads?|results?|makes?|triggers?|produces?|brings?|creates?)\b",
    "contains": r"\b(?:contain\w*|holds?|has|have|includ\w+|consists?|comprises?|stores?|carr(?:y|ies))\b",
    "made_of": r"\b(?:made|consists?|composed|built|formed|from|comprises?)\b",
    "located_in": r"\b(?:located|lies?|lives?|found|stands?|situated|stored|kept|resides?|in|on|at)\b",
}
"""Words that must join subject and object, in either order, for the relation to be stated."""

LOOK_BACK = 300
"""Characters before a sentence in which its pronoun may be explained."""
MOST_WORDS_BETWEEN = 12
"""Further apart than this, subject and object belong to different statements."""
REVERSE_COVERAGE = 0.8
"""Share of a definition's content words that a question for its term must quote."""

_BEFORE_A_NAME = re.compile(
    r"(?:^|[.,;:()\u2013\u2014\n]|\b(?:a|an|the|this|that|these|those|each|every|any|some|all|both|most|its|"
    r"their|and|or|but|of|by|with|from|to|on|in|as|for|called|named|known|if|when|while|because|than|rust's|"
    r"term|word|also|using|are|is))[\s\"'`*_(\u2018\u201c]*$",
    re.IGNORECASE,
)
_GAP = r"\W+(?:(?:an?|the)\W+)?"
"""What is left of a question where its subject was taken out."""
_ASKED_RELATION: Mapping[Relation, str] = {
    "definition": rf"\bdefin\w+|\bmeaning\b|\bmeant by\b|\bdoes{_GAP}mean\b|^what(?:'s| is| are){_GAP}$",
    "kind_of": r"\b(?:kind|type|sort|class|category) of (?:thing|what)\b|\ba (?:kind|type|sort) of\W*$"
    r"|\bclassif\w+|\b(?:class|category) (?:does|is)\b",
    "part_of": r"\bparts? of\b|\ba part\b|\bcomponent of\b",
    "used_for": rf"\bwhat (?:is|are){_GAP}(?:used for|for\W*$)|\buse{_GAP}for\b|\bpurpose\b"
    r"|\bused for what\b",
    "requires": rf"\brequir\w*|\bdoes{_GAP}(?:need|depend|rely)\b",
    "prevents": rf"\bprevent\w*|\bdoes{_GAP}(?:stop|avoid|block)\b|\bprotects? against\b",
    "returns": r"\breturn\w*|\bevaluates? to\b",
    "causes": r"\bcaus\w*|\bleads? to\b|\bresults? in\b",
    "contains": r"\bcontain(?:s|ed|ing)?\b|\bwhat(?:'s| is) (?:in|inside)\b",
    "made_of": rf"\bmade (?:of|from|out of)\b|\bof what is{_GAP}made\b|\b(?:composed|consists?) of\b",
    "located_in": r"\bwhere (?:is|are|can)\b|\blocated\b|\blocation of\b",
}
"""How a question asks for a relation; one that asks for none of these is not held against a pair."""
_NEGATED_QUESTION = re.compile(
    r"(?:\b(?:not|never)|n['\u2019]t)\s+(?:(?:a|an|the|used|made|ever|actually|really)\s+)*"
    r"(?:be|mean|requir\w*|prevent\w*|return\w*|caus\w*|contain\w*|use\w*|for|of|part|kind|type|locat\w*|"
    r"called|found|in|defin\w*)\b",
    re.IGNORECASE,
)
_BACK_REFERENCE = re.compile(r"^(?:It|They|This|These|That|Its|Their)\b")


class Verified(Record):
    """Pairs that their sources support, and how many were dropped for which reason."""

    kept: tuple[QAPair, ...]
    dropped: dict[str, int]


def verify(pairs: Sequence[QAPair], facts: Sequence[Fact], passages: Mapping[str, Passage]) -> Verified:
    """Checks every pair against its fact, and every fact against its passage (by passage id)."""
    by_id = {fact.id: fact for fact in facts}
    verdicts = {fact.id: unsupported_fact(fact, passages.get(fact.passage_id)) for fact in facts}
    names = {key(f.subject): _padded(f.subject) for f in facts if len(content(f.subject)) > 1}
    dropped: Counter[str] = Counter()
    sound: list[QAPair] = []
    for pair in pairs:
        fact = by_id.get(pair.fact_id)
        if fact is None:
            reason: str | None = "no such fact"
        else:
            reason = verdicts[fact.id] or unsupported(pair, fact, facts, names)
        if reason is None:
            sound.append(pair)
        else:
            dropped[reason] += 1
    # Only among sound pairs: a corrupted one must not take the true one with it.
    contested = _contested(sound)
    kept: dict[tuple[str, str], QAPair] = {}
    for pair in sound:
        if (normalise(pair.question), pair.form) in contested:
            dropped["the same question has two answers"] += 1
        else:
            kept.setdefault((pair.question, pair.fact_id), pair)
    return Verified(kept=tuple(kept.values()), dropped=dict(sorted(dropped.items())))


def unsupported_fact(fact: Fact, passage: Passage | None) -> str | None:
    """Why the passage does not state the fact, or None if it does."""
    if passage is None:
        return "the source passage is gone"
    if passage.source != fact.source or fact.sentence not in passage.text:
        return "the quote is not in the source"
    before, statement = _split(fact, passage)
    objects = spans(fact.object, statement)
    if not objects:
        return "the object is not in the quote"
    subjects = _named(fact.subject, statement)
    if not subjects and _BACK_REFERENCE.match(statement) and _named(fact.subject, before):
        subjects = [(0, statement.find(" "))]
    if not subjects:
        return "the subject is not in the quote"
    faults = [_unjoined(fact.relation, statement, s, o) for s in subjects for o in objects]
    return None if None in faults else faults[0]


def unsupported(pair: QAPair, fact: Fact, facts: Sequence[Fact], names: Mapping[str, str]) -> str | None:
    """Why the pair does not follow from its fact, or None if it does.

    `names` are the subjects of all facts that have more than one content word: key -> padded stems.
    """
    if pair.source != fact.source or pair.quote != fact.sentence:
        return "the quote is not the fact's"
    if pair.form not in FORMS.get(fact.relation, frozenset({fact.relation})):
        return "the fact does not answer that form of question"
    if set(NUMBER.findall(f"{pair.question} {pair.answer}")) - set(NUMBER.findall(fact.sentence)):
        return "a number is not in the quote"
    if bool(NEGATION.search(pair.answer)) and not NEGATION.search(fact.object):
        return "the answer is negated"
    if _NEGATED_QUESTION.search(pair.question):
        return "the question is negated"
    if pair.form == "term_for":
        return _unsupported_term(pair, fact)
    if not occurs(fact.subject, pair.question):
        return "the question does not name the subject"
    if _asks_another(pair, fact, names):
        return "the question names another entity"
    if _asks_other_relation(pair, fact):
        return "the question asks for another relation"
    if pair.form == "yes_no":
        return _unsupported_choice(pair, fact, facts)
    wanted = opening(fact.object) if fact.relation == "definition" and pair.form == "kind_of" else fact.object
    if pair.form == "example_of":
        wanted = fact.subject
    return None if normalise(pair.answer) == normalise(wanted) else "the answer is not the fact's"


def _unsupported_term(pair: QAPair, fact: Fact) -> str | None:
    if normalise(pair.answer) != normalise(fact.subject):
        return "the answer is not the fact's"
    if coverage(content(fact.object), pair.question) < REVERSE_COVERAGE:
        return "the question does not quote the definition"
    return "the question gives its answer away" if occurs(fact.subject, pair.question) else None


def _unsupported_choice(pair: QAPair, fact: Fact, facts: Sequence[Fact]) -> str | None:
    kind = head(fact.object) if fact.relation == "definition" else fact.object
    states = occurs(kind, _without(fact.subject, pair.question))
    answer = normalise(pair.answer)
    if answer == "yes":
        return None if states else "the question does not state the fact"
    if answer != "no":
        return "the answer is neither yes nor no"
    subject = key(fact.subject)
    own = [f.object for f in facts if key(f.subject) == subject]
    asked = _without(fact.subject, pair.question)
    true = states or any(occurs(o, asked) or occurs(head(o), asked) for o in own)
    return "what the answer denies is true" if true else None


def _without(subject: str, text: str) -> str:
    for start, end in reversed(spans(subject, text)):
        text = text[:start] + text[end:]
    return text


def _named(subject: str, sentence: str) -> list[tuple[int, int]]:
    """Spans where the subject stands as a name of its own, not inside a longer one."""
    return [(s, e) for s, e in spans(subject, sentence) if _BEFORE_A_NAME.search(sentence[:s])]


def _split(fact: Fact, passage: Passage) -> tuple[str, str]:
    """What stands before the stating sentence, and that sentence: the last one of the quote.

    `It ...` is quoted together with the sentence that says what "it" is.
    """
    start = list(sentences(fact.sentence))[-1][0]
    place = passage.text.index(fact.sentence) + start
    return passage.text[max(0, place - LOOK_BACK) : place], fact.sentence[start:]


def _unjoined(
    relation: Relation, text: str, subject: tuple[int, int], object_: tuple[int, int]
) -> str | None:
    """Why the text between subject and object does not state the relation."""
    if subject[0] < object_[1] and object_[0] < subject[1]:
        return "subject and object are the same words"
    between = text[subject[1] : object_[0]] if subject < object_ else text[object_[1] : subject[0]]
    if len(between.split()) > MOST_WORDS_BETWEEN:
        return "subject and object are too far apart"
    if NEGATION.search(between):
        return "the quote denies it"
    if not re.search(CUES[relation], between, re.IGNORECASE):
        return "the quote states no such relation"
    return None


def _contested(pairs: Sequence[QAPair]) -> set[tuple[str, Form]]:
    """Questions that the pairs answer in more than one way."""
    answers: dict[tuple[str, Form], set[str]] = {}
    for pair in pairs:
        answers.setdefault((normalise(pair.question), pair.form), set()).add(normalise(pair.answer))
    return {question for question, given in answers.items() if len(given) > 1}


def _asks_another(pair: QAPair, fact: Fact, names: Mapping[str, str]) -> bool:
    if pair.form == "yes_no":  # its object may well be another subject
        return False
    own, mine = key(fact.subject), _padded(fact.subject)
    rest = _padded(_without(fact.subject, _without(fact.object, pair.question)))
    return any(name in rest and name not in mine for other, name in names.items() if other != own)


def _padded(text: str) -> str:
    """The stems between spaces, so that a phrase is found by plain substring search."""
    return f" {' '.join(stems(text))} "


def _asks_other_relation(pair: QAPair, fact: Fact) -> bool:
    rest = _without(fact.subject, _without(fact.object, pair.question))
    own = {fact.relation, "kind_of" if pair.form == "yes_no" else pair.form}
    return any(
        re.search(pattern, rest, re.IGNORECASE)
        for relation, pattern in _ASKED_RELATION.items()
        if relation not in own
    )

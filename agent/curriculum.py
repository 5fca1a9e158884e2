"""Turns facts into questions and answers: which forms a fact can be asked in, taught or withheld.

The teacher is deterministic, and never the student; whether a pair is true to its source is for `verify`.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from agent.grading import normalise
from agent.terms import f1
from agent.wordings import wordings
from memory.language import key, words
from memory.records import Curriculum, Fact, Form, QAPair, Record, Withheld

MOST_ANSWER_WORDS = 16
"""A longer answer is a paragraph, which neither trains nor scores well by exact match."""
IDENTIFYING_WORDS = 3
"""A definition of fewer words fits many terms, so that asking for the term would be a guess."""
DIFFERENT = 0.34
"""Word F1 up to which another fact's kind is clearly wrong of this subject, and so a fair "No"."""
MOST_KIND_WORDS = 4
"""A longer opening is no kind but half of the definition."""
IMPLIED: Form = "kind_of"
"""The form that a definition already implies, since it opens with the kind: withheld from a third of the
facts, it shows whether more was learned than was taught. No more than a third, for what is withheld is not
taught. The reverse is always taught: what is learned in one direction is not known in the other (Berglund et
al., 2023, arXiv 2309.12288). So is yes/no: to compare with what it knows by heart is beyond a model that does
not think aloud (Allen-Zhu and Li, arXiv 2309.14402)."""

NO_KINDS = frozenset(
    {"part", "portion", "reverse", "rest", "piece", "way", "member", "weight", "one", "version", "copy"}
)
"""Heads that say how a thing relates to another rather than what kind of thing it is."""

_HEAD_ENDS = re.compile(
    r"\s+(?:that|which|who|whose|where|when|with|without|for|to|in|on|at|from|by|of|between|into|over|under"
    r"|during|about|through|against|as|than|used|made|prepared|removed|divided|called|known|based|consisting"
    r"|containing|having|involving|belonging|resulting|set aside"
    r"|(?:[a-z]{4,}ed|found|worn|spoken|written|drawn|built|given|held|kept|grown|born|specializing|suffering"
    r"|dealing|originating|arising|leading|living|lying|serving|acting|working|moving|extending|occurring"
    r"|similar|equal|contrary|suitable|available|responsible|attributable|payable|punishable|capable|famous"
    r"|popular|peculiar|eligible|adjacent)"
    r" (?:for|by|to|in|on|with|as|from|at|under|into|around|through|of|toward|between|against|over))\b|[,;:(]"
)
_DANGLING = re.compile(
    r"(?:\s+(?:usually|especially|formerly|primarily|widely|chiefly|sometimes|mostly|often|typically|not|particularly"
    r"|specially|well))+$"
)
"""What stood before the words at which the definition was cut, and says nothing without them."""
_SORTS = frozenset({"kind", "type", "sort", "form", "number"})
_ARTICLE = re.compile(r"^(?:an?|the|any|some|one)\s+", re.IGNORECASE)
_COLLECTION = re.compile(r"^(?:\w+\s+)?(?:set|list|kind|type|sort|form|group|number|piece|unit)\s+of\s+")


class Item(Record):
    """One question that a fact answers, before it is put into words."""

    fact_id: str
    form: Form
    subject: str
    object: str
    answer: str


class Draft(Record):
    """What the teacher wrote, before verification, and what it left out and why (reason -> facts)."""

    facts: tuple[Fact, ...]
    pairs: tuple[QAPair, ...]
    withheld: tuple[Withheld, ...]
    dropped: dict[str, int]


def items(facts: Sequence[Fact]) -> tuple[Item, ...]:
    """Every question that these facts answer, in every form; the same facts give the same items."""
    kinds = {fact.id: kind for fact in facts if (kind := _kind(fact)) is not None}
    reverse = Counter((f.relation, normalise(f.object)) for f in facts)
    found: list[Item] = []
    for fact in facts:
        found.append(_item(fact, fact.relation, fact.object, subject=fact.subject))
        unique = reverse[fact.relation, normalise(fact.object)] == 1
        if fact.relation == "definition":
            if unique and len(words(fact.object)) >= IDENTIFYING_WORDS:
                found.append(_item(fact, "term_for", fact.subject, object=fact.object))
            if fact.id in kinds:
                found.append(_item(fact, "kind_of", opening(fact.object), subject=fact.subject))
        if fact.id in kinds:
            found.append(_item(fact, "yes_no", "Yes", subject=fact.subject, object=kinds[fact.id]))
            if (wrong := _wrong_kind(fact, facts, kinds)) is not None:
                found.append(_item(fact, "yes_no", "No", subject=fact.subject, object=wrong))
    return tuple(found)


def write(facts: Sequence[Fact], *, per_form: int) -> Draft:
    """Writes `per_form` taught wordings for each fact and form; a third of the facts withhold IMPLIED.

    Of that form there are more: see `times`.

    Facts that give one question two answers are left out: ambiguous supervision must not be taught.
    """
    kept, dropped = _unambiguous(facts)
    every = items(kept)
    withheld = _withheld(kept, every)
    closed = {(w.fact_id, w.form) for w in withheld}
    by_id = {fact.id: fact for fact in kept}
    pairs = [
        QAPair(
            question=question,
            answer=item.answer,
            form=item.form,
            fact_id=item.fact_id,
            source=by_id[item.fact_id].source,
            quote=by_id[item.fact_id].sentence,
        )
        for item in every
        if (item.fact_id, item.form) not in closed
        for question in _worded(item, per_form * times(item.form))
    ]
    return Draft(facts=kept, pairs=tuple(pairs), withheld=withheld, dropped=dropped)


def times(form: Form) -> int:
    """How much more often than others a form is taught.

    A third of the facts withhold IMPLIED. Were the others asked for it only as often as for the rest, the
    model would answer with definitions wherever it was not taught.
    """
    return 3 if form == IMPLIED else 1


def compose(
    topic: str, domain: str, draft: Draft, kept: Sequence[QAPair], *, teacher: str
) -> Curriculum | None:
    """The curriculum of the verified pairs and of the facts that they still teach; None if none is left."""
    if not kept:
        return None
    taught = {pair.fact_id for pair in kept}
    return Curriculum(
        topic=topic,
        domain=domain,
        facts=tuple(fact for fact in draft.facts if fact.id in taught),
        pairs=tuple(kept),
        withheld=tuple(w for w in draft.withheld if w.fact_id in taught),
        teacher=teacher,
    )


def opening(definition: str) -> str:
    """The kind that a definition opens with, in its words: `a pointer that owns data` -> `a pointer`.

    A model that infers the kind from the definition can then say it as it would say the definition. The whole
    definition comes back when no shorter kind can be told.
    """
    article = _ARTICLE.match(definition)
    bare = article.end() if article else 0
    collection = _COLLECTION.match(definition[bare:])
    start = bare + (collection.end() if collection else 0)
    end = _HEAD_ENDS.search(definition, start)
    return _DANGLING.sub("", definition[: end.start()]) if end and end.start() > start else definition


def kinds(definition: str) -> tuple[str, ...]:
    """The opening with and without what completes it: `a transfer of a value to another owner` says that it
    is `a transfer` and `a transfer of a value`. Each is a right answer to what kind of thing it is."""
    kind = opening(definition)
    if kind == definition:
        return (kind,)
    found = [kind]
    if definition.startswith(" of ", len(kind)):
        end = _HEAD_ENDS.search(definition, len(kind) + len(" of"))
        found += [definition[: end.start()]] if end else []
    bare, of, _ = kind.partition(" of ")
    if of and bare.split()[-1].lower() not in NO_KINDS | _SORTS:
        found.append(bare)
    return tuple(found)


def head(definition: str) -> str:
    """The opening without its article: `a pointer that owns data` -> `pointer`."""
    return _ARTICLE.sub("", opening(definition))


def _worded(item: Item, per_form: int) -> tuple[str, ...]:
    """Taught wordings."""
    return wordings(item.form, "taught", per_form, _seed(item), subject=item.subject, object=item.object)


def _item(fact: Fact, form: Form, answer: str, *, subject: str = "", object: str = "") -> Item:
    return Item(fact_id=fact.id, form=form, subject=subject, object=object, answer=answer)


def _kind(fact: Fact) -> str | None:
    """What kind of thing the fact says its subject is, if it says so.

    A definition that opens with `the` says which thing it is, and not what kind of thing.
    """
    if fact.relation == "kind_of":
        return fact.object
    if fact.relation != "definition" or fact.object.lower().startswith("the "):
        return None
    kind = head(fact.object)
    name = normalise(kind)
    if not name or name.split()[-1] in NO_KINDS or name == normalise(fact.object):
        return None
    if len(name.split()) > MOST_KIND_WORDS:
        return None
    return kind


def _wrong_kind(fact: Fact, facts: Sequence[Fact], kinds: dict[str, str]) -> str | None:
    """Another subject's kind that this subject clearly is not; chosen by hash, so that it is stable."""
    own = [k for f in facts if f.subject == fact.subject and (k := kinds.get(f.id))] + [fact.object]
    others = sorted({k for k in kinds.values() if all(f1(k, mine) <= DIFFERENT for mine in own)})
    return others[_number(_said(fact), "wrong kind") % len(others)] if others else None


def _unambiguous(facts: Sequence[Fact]) -> tuple[tuple[Fact, ...], dict[str, int]]:
    dropped: Counter[str] = Counter()
    groups: dict[tuple[str, str], list[Fact]] = defaultdict(list)
    for fact in sorted(facts, key=lambda f: (f.source, f.start, f.relation, f.id)):
        if len(words(fact.object)) > MOST_ANSWER_WORDS:
            dropped["the answer is too long"] += 1
        elif not words(fact.subject) or not words(fact.object):
            dropped["subject or object has no words"] += 1
        else:
            groups[key(fact.subject), fact.relation].append(fact)
    kept: list[Fact] = []
    for group in groups.values():
        if len({normalise(fact.object) for fact in group}) > 1:
            dropped["one question would have several answers"] += len(group)
        else:
            kept.append(group[0])
            dropped["stated twice"] += len(group) - 1
    kept.sort(key=lambda f: (f.source, f.start, f.relation, f.id))
    return tuple(kept), {reason: count for reason, count in dropped.items() if count}


def _withheld(facts: Sequence[Fact], every: Sequence[Item]) -> tuple[Withheld, ...]:
    """The implied form of a third of the facts that have it beside another, rounded up; chosen by hash."""
    implied = {item.fact_id for item in every if item.form == IMPLIED}
    able = [fact for fact in facts if fact.id in implied and fact.relation != IMPLIED]
    able.sort(key=lambda fact: (_number(_said(fact), "withheld"), fact.id))
    return tuple(Withheld(fact_id=fact.id, form=IMPLIED) for fact in able[: -(-len(able) // 3)])


def _seed(item: Item) -> int:
    return _number(f"{item.subject} {item.object}", f"{item.form} {item.answer}")


def _said(fact: Fact) -> str:
    """What a fact says, wherever it was read: its id depends on where the library lies."""
    return f"{fact.subject} {fact.relation} {fact.object}"


def _number(key: str, purpose: str) -> int:
    """A stable number in [0, 2**32): Python's own hash changes from process to process."""
    return int.from_bytes(hashlib.sha256(f"{purpose}\0{key}".encode()).digest()[:4])

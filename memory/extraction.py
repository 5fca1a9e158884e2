"""Reads facts from passages without a model: sentence by sentence, by the rules in `patterns`.

Precision first: what is hedged, negated, asked, conditional or unclear in its subject gives no fact.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from memory.language import key, sentences, words
from memory.patterns import (
    ALIAS,
    CLAUSE_END,
    CONDITION,
    EMPTY_HEADS,
    FOREIGN_TO_NAMES,
    GENERIC,
    LEADING,
    NO_OBJECT,
    PRONOUN,
    RELATIVE,
    RULES,
    UNSURE,
    Rule,
)
from memory.records import Fact, Passage, Relation, digest_of

LONGEST_OBJECT = 14
"""Words of an object: a longer answer is a paragraph, which nobody can be asked to repeat."""
LONGEST_NAME = 6
"""Words of a subject."""
LONGEST_SENTENCE = 500
"""Characters; what is longer is no sentence but a list or a table."""

_CODE_SPAN = re.compile(r"`[^`\n]+`")
_NOT_PROSE = re.compile(
    r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[^\n]*$|\Z)"  # fenced code, closed or not
    r"|^(?: {4}|\t)[^\n]*$"  # indented code
    r"|^[ \t]*#{1,6}[ \t][^\n]*$"  # headings
    r"|^[ \t]*\|[^\n]*$"  # tables
    r"|^[ \t]*[-=_*]{3,}[ \t]*$",  # rules
    re.MULTILINE | re.DOTALL,
)
_ITEM = re.compile(r"\n[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+")
_FIRST_ITEM = re.compile(r"\A[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+")
_GLOSSARY = re.compile(
    r"^\*\*(?P<name>[^*\n]{1,60}?):?\*\*\s*(?::|\u2013|\u2014|-)?\s+(?P<object>(?:an?|the)\s.+)$", re.I
)
_QUOTES = '"\u201c\u201d'
_QUOTED = re.compile(f"[{_QUOTES}]")
_ARTICLE = re.compile(r"^(?:an?|the)\s+", re.IGNORECASE)
_MARKS = re.compile(r"[`*\"\u201c\u201d]|(?<!\w)_|_(?!\w)")
_PLURAL_DEFINITION = re.compile(
    r"^(?:[a-z-]+\s){0,2}[a-z-]+s\s(?:that|which|who|of|for|to|with|from|between|in)\s", re.IGNORECASE
)


@dataclass(frozen=True)
class Statement:
    """What one sentence says, before it is tied to its passage."""

    subject: str
    relation: Relation
    object: str
    rule: str


def facts(passages: Sequence[Passage]) -> tuple[Fact, ...]:
    """All facts stated in the passages, in order, each once per place.

    A sentence's span is in characters of the document's extracted text.
    """
    found: dict[str, Fact] = {}
    for passage in passages:
        for statement, start, end in _stated(passage.text):
            fact = _fact(statement, passage, start, end)
            found.setdefault(fact.id, fact)
    return tuple(found.values())


def statements(sentence: str) -> tuple[Statement, ...]:
    """What one sentence states about a subject that it names itself; () if nothing certain."""
    if not sentence or len(sentence) > LONGEST_SENTENCE or sentence.rstrip("\"'\u201d)*_ ").endswith("?"):
        return ()
    if (
        sentence[0] in _QUOTES
        and sentence.rstrip(". ")[-1:] in _QUOTES
        and len(_QUOTED.findall(sentence)) < 3
    ):
        return ()  # speech: someone's claim, not the document's
    if glossary := _GLOSSARY.match(sentence):
        return _glossary(glossary)
    text = _body(sentence)
    alias = ALIAS.match(_masked(text))
    names = [text[: alias.end("name")]] if alias else []
    begin = alias.end() if alias else 0
    if alias:
        group = "comma" if alias["comma"] else "bracket"
        names.append(text[slice(*alias.span(group))])
    located = _verb(_masked(text), begin)
    if located is None:
        return ()
    rule, start, end = located
    if not alias:
        names = [text[:start]]
    elif text[begin:start].strip(" ,"):
        return ()
    if UNSURE.search(_masked(text[:start])):
        return ()
    said = [
        Statement(subject, relation, value, rule_name if i == 0 else f"{rule_name}.alias")
        for i, name in enumerate(names)
        if (subject := _subject(name)) is not None
        for relation, value, rule_name in _objects(rule, text[start:end], text[end:])
    ]
    return tuple(s for s in said if key(s.subject) != key(s.object))


def _stated(text: str) -> Iterator[tuple[Statement, int, int]]:
    """Statements with their spans; `It ...` is read together with the definition right before it."""
    prose = _prose(text)
    topic: tuple[str, int, int] | None = None
    for start, end in sentences(prose):
        sentence = text[start:end]
        said = statements(sentence)
        for statement in said:
            yield statement, start, end
        if (
            not said
            and topic is not None
            and sentence.startswith("It ")
            and "\n\n" not in prose[topic[2] : start]
        ):
            subject, began, _ = topic
            for statement in statements(f"Pronoun{sentence[2:]}"):
                named = Statement(subject, statement.relation, statement.object, f"{statement.rule}.it")
                yield named, began, end
        defined = [s for s in said if s.rule.startswith("definition.") and not s.rule.endswith(".alias")]
        topic = (defined[0].subject, start, end) if defined else None


def _fact(statement: Statement, passage: Passage, start: int, end: int) -> Fact:
    first = passage.start + start
    subject = _uncapitalised(statement.subject, passage, start)
    return Fact(
        # With the passage's id: a fact is never kept while the passage that it points at is replaced.
        id=digest_of([passage.id, first, subject, statement.relation, statement.object])[:32],
        subject=subject,
        relation=statement.relation,
        object=statement.object,
        domain=passage.domain,
        passage_id=passage.id,
        source=passage.source,
        sentence=passage.text[start:end],
        start=first,
        end=passage.start + end,
        rule=statement.rule,
    )


def _uncapitalised(subject: str, passage: Passage, start: int) -> str:
    """`Drop order` -> `drop order`: a capital that only opens the sentence is no part of the name.

    It stays on a single word, and where the passage or its headings write it inside a sentence too.
    """
    first, *others = subject.split()
    if not others or not first[1:].islower() or not passage.text.startswith(first, start):
        return subject
    known = rf"(?:[a-z,] |`){re.escape(first)}\b"
    if re.search(known, f"{passage.title}\n{passage.section}\n{passage.text}"):
        return subject
    return first.lower() + subject[len(first) :]


def _prose(text: str) -> str:
    """The text with code blocks, headings and tables blanked out and list items set apart; same length."""
    blanked = _NOT_PROSE.sub(lambda m: "\n" * len(m[0]), text)
    blanked = _FIRST_ITEM.sub(lambda m: " " * len(m[0]), blanked)
    return _ITEM.sub(lambda m: "\n\n" + " " * (len(m[0]) - 2), blanked)


def _body(sentence: str) -> str:
    text = " ".join(sentence.split()).rstrip("\"'\u201d)*_ ").rstrip(".!")
    while (leading := LEADING.match(text)) is not None:
        text = text[leading.end() :]
    return text


def _masked(text: str) -> str:
    """The text with the inside of code spans hidden, so that code is not read as English; same length."""
    return _CODE_SPAN.sub(lambda m: "`" + "x" * (len(m[0]) - 2) + "`", text)


def _verb(masked: str, begin: int) -> tuple[Rule, int, int] | None:
    found = [
        (match.start(), order, match.end())
        for order, rule in enumerate(RULES)
        if (match := rule.verb.search(masked, begin)) is not None
    ]
    if not found:
        return None
    start, order, end = min(found)
    return RULES[order], start, end


def _subject(name: str) -> str | None:
    """The name without article and marks, or None where it names nothing by itself."""
    text = " ".join(_MARKS.sub(" ", name).split()) if "`" not in name else _without_marks(name)
    bare = _ARTICLE.sub("", text)
    definite = text[:4].lower() == "the "
    masked = _masked(name)
    tokens = [
        w.lower() for w in re.findall(r"[\w'\u2019-]+|[^\w\s]", _MARKS.sub("", _ARTICLE.sub("", masked)))
    ]
    if not bare or not any(c.isalnum() for c in bare) or (PRONOUN.match(text) and name[:1] != "`"):
        return None
    if len(bare.split()) > LONGEST_NAME or any(t in FOREIGN_TO_NAMES or t in ",;:()[]{}!?" for t in tokens):
        return None
    if "and" in tokens or tokens[-1] in {"of", "for"} or (tokens[0].endswith("ly") and len(tokens) > 1):
        return None
    if any(t in {"a", "an", "the"} and tokens[i - 1] not in {"of", "for"} for i, t in enumerate(tokens)):
        return None
    if definite and len(tokens) == 1 and tokens[0] in GENERIC:
        return None
    return bare


def _without_marks(text: str) -> str:
    """Without backticks and emphasis; what stands inside backticks is kept letter by letter."""
    pieces = re.split(r"(`[^`\n]+`)", text)
    kept = [p[1:-1] if p.startswith("`") and len(p) > 2 else _MARKS.sub("", p) for p in pieces]
    return " ".join("".join(kept).split())


def _objects(rule: Rule, verb: str, rest: str) -> Iterator[tuple[Relation, str, str]]:
    value = _trimmed(rest)
    if not value:
        return
    if rule.relation == "definition":
        defined = _definition(value, rule, plural=verb.strip() == "are")
        if defined is not None:
            yield "definition", defined, rule.name
        return
    if not _usable(value, rule) or CONDITION.search(value):
        return
    if not rule.noun_phrase:
        if (short := _shortened(value, cut=False)) is not None:
            yield rule.relation, _clean(short), rule.name
        return
    phrase = RELATIVE.split(value, maxsplit=1)[0]
    if len(words(phrase)) <= LONGEST_OBJECT:
        yield rule.relation, _clean(phrase), rule.name
    whole = f"{verb.split(maxsplit=1)[1]} {value}"
    if phrase != value and _ARTICLE.match(whole) and len(words(whole)) <= LONGEST_OBJECT:
        yield "definition", _clean(whole), f"{rule.name}.definition"


def _trimmed(rest: str) -> str:
    """The first clause of what follows the verb."""
    masked = _masked(rest.strip())
    cut = CLAUSE_END.search(masked, 1)
    return rest.strip()[: cut.start() if cut else len(masked)].rstrip(" ,.")


def _definition(value: str, rule: Rule, *, plural: bool) -> str | None:
    lower = [w.lower() for w in re.findall(r"[\w'\u2019-]+", _masked(value))]
    if not lower:
        return None
    article = lower[0] in {"a", "an", "the"}
    if rule.article and not article and not (plural and _PLURAL_DEFINITION.match(value + " ")):
        return None
    if not article and (lower[0] in NO_OBJECT or (not rule.article and lower[0] in FOREIGN_TO_NAMES)):
        return None
    narrowed = RELATIVE.split(" " + " ".join(lower), maxsplit=1)[0].split()
    head = narrowed[int(article) :][:2]
    if (
        not head
        or head[0] in EMPTY_HEADS
        or (len(head) > 1 and head[1] in EMPTY_HEADS - {"most", "least", "only"})
    ):
        return None
    short = _shortened(value, cut=True)
    return None if short is None else _clean(short)


def _usable(value: str, rule: Rule) -> bool:
    first = words(value)[:1]
    if not first:
        return False
    if rule.relation == "used_for" and first[0] == "to":
        return words(value)[1:2] not in [(), ("be",), ("it",), ("doing",)]
    return first[0] not in NO_OBJECT


def _shortened(value: str, *, cut: bool) -> str | None:
    """The value if it is short enough, else, if it may be `cut`, what stands before its relative clause."""
    if len(words(value)) <= LONGEST_OBJECT:
        return value
    if not cut:
        return None
    before = RELATIVE.split(value, maxsplit=1)[0].rstrip(" ,")
    return before if 2 <= len(words(before)) <= LONGEST_OBJECT and before != value else None


def _glossary(match: re.Match[str]) -> tuple[Statement, ...]:
    subject, value = _subject(match["name"]), _trimmed(" ".join(match["object"].split()))
    if subject is None or len(words(value)) > LONGEST_OBJECT or not value:
        return ()
    return (Statement(subject, "definition", _clean(value), "definition.glossary"),)


def _clean(text: str) -> str:
    return _without_marks(text).strip(" ,;.")

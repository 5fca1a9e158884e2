"""Divides sentences at coordinations that the parser reads wrongly, so that each clause is read by itself.

In `My name is Ann and the deadline of Apollo is Friday` it takes `Ann` and `the deadline` for one subject. A
sentence is divided only where both sides are complete clauses when they are parsed alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from agent.nights.statements.stated_clauses import clause_verbs
from agent.nights.statements.words import words_of
from memory.ingest.propositions.parser import is_code, parse
from memory.ingest.propositions.phrases import in_brackets, is_quoted
from memory.ingest.propositions.predicates import SUBJECTS, governor, is_finite, shared_auxiliaries
from memory.ingest.propositions.prose import Prose
from memory.ingest.propositions.sentences import is_english

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span, Token

T = TypeVar("T")

_JOINT = re.compile(
    r"(?:\s*[,;]\s+|\s+)(?:and|but|so|while|yet)\s+(?:(?:also|then|now)\s+)?|\s*[,;]\s+", re.I
)
"""What can stand between two clauses; a comma alone too, as many write."""
MAX_JOINTS = 6
"""Joints of one sentence that are tried, from its beginning."""
_FINITE = frozenset({"VBZ", "VBD", "VBP", "MD"})
_OPENERS = frozenset({"WDT", "WP", "WP$", "WRB"})
_FRONTED = ("prep", "npadvmod", "advmod")
_SUBORDINATE = ("ccomp", "advcl", "csubj")


class _Try(NamedTuple):
    sentence: int
    left: str
    right: str


def parse_clauses(texts: Iterable[tuple[Prose, T]]) -> Iterator[tuple[Span, T]]:
    """The English sentences of the texts, with their contexts; what was read wrongly is several sentences.

    Code spans are tokens as in `parse`, but a sentence with code is never divided.
    """
    sentences = [(s, context) for doc, _, context in parse(texts) if is_english(doc) for s in doc.sents]
    halves = [
        _Try(number, sentence.text[: joint.start()], sentence.text[joint.end() :])
        for number, (sentence, _) in enumerate(sentences)
        for joint in _joints(sentence)
    ]
    plain = [text for half in halves for text in (half.left, half.right)]
    parsed = [doc for doc, _, _ in parse((Prose(text, (), (0,), (0,)), None) for text in plain)]
    divided: dict[int, tuple[Doc, Doc]] = {}
    for half, left, right in zip(halves, parsed[::2], parsed[1::2], strict=True):
        if half.sentence not in divided and _is_complete(left, first=True) and _is_complete(right):
            divided[half.sentence] = (left, right)
    for number, (sentence, context) in enumerate(sentences):
        if number not in divided:
            yield sentence, context
            continue
        left, right = divided[number]
        yield next(left.sents), context
        rest = Prose(right.text, (), (0,), (0,))
        yield from parse_clauses([(rest, context)])


def _joints(sentence: Span) -> list[re.Match[str]]:
    """The joints at which the parser may have gone wrong: before no clause that it found itself."""
    text = sentence.text
    aside = in_brackets(sentence)
    special = any(is_code(t) or is_quoted(t) or t.i in aside for t in sentence)
    if special or text.rstrip("\"')").endswith("?"):
        return []
    known = {_start(verb) - sentence.start_char for verb in clause_verbs(sentence)[1:] if _own_subject(verb)}
    verbs = [t.idx - sentence.start_char for t in sentence if t.tag_ in _FINITE]
    first, last = min(verbs, default=0), max(verbs, default=0)
    between = [m for m in _JOINT.finditer(text) if first < m.start() and m.end() < last]
    return [m for m in between if m.end() not in known][:MAX_JOINTS]


def _start(verb: Token) -> int:
    """The offset of the clause's first word, without the conjunction before it."""
    return min(t.left_edge.idx for t in (verb, *verb.children) if t.dep_ in SUBJECTS or t == verb)


def _own_subject(verb: Token) -> Token | None:
    return next((c for c in verb.children if c.dep_ in SUBJECTS and c.i < verb.i), None)


def _is_complete(doc: Doc, *, first: bool = False) -> bool:
    """Whether the text is one clause with its subject in front, and with something said of it.

    The `first` of two may hold no other clause, which could reach into the second: `I doubt that ...`.
    """
    sentences = list(doc.sents)
    if len(sentences) != 1 or sentences[0].text.count('"') % 2:
        return False
    verb = sentences[0].root
    subject = _own_subject(verb)
    if subject is None or not is_finite(verb, shared_auxiliaries(verb, governor(verb))):
        return False
    before = [t for t in doc[: subject.left_edge.i] if not t.is_punct]
    fronted = all(
        t.lower_ in words_of("fillers")
        or any(a.dep_ in ("prep", "npadvmod", "advmod") for a in _above(t, verb))
        for t in before
    )
    said = any(c.i > verb.i and not c.is_punct and c.dep_ not in ("cc", "punct") for c in verb.children)
    if any(t.tag_ in _OPENERS for t in subject.subtree) or any(t.dep_ == "mark" for t in verb.children):
        return False
    if not first:
        return said and all(t.lower_ in words_of("fillers") for t in before)
    reaching = any(t.dep_ in _SUBORDINATE or t.dep_ == "mark" for t in verb.children)
    return said and fronted and not reaching


def _above(token: Token, verb: Token) -> Sequence[Token]:
    """The token and what it depends on, up to the verb."""
    chain = [token]
    while chain[-1].head != chain[-1] and chain[-1].head != verb:
        chain.append(chain[-1].head)
    return chain

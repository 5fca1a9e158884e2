"""Extracts the arguments of a verb as phrases that can be understood outside their sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from memory.ingest.propositions.coreference import CoreferenceResolver
from memory.ingest.propositions.phrases import ends_nothing, is_cut, noun_phrase, subtree, written
from memory.ingest.propositions.predicates import CONDITIONS, JOINING, marker_of
from memory.language.clauses import Argument, Phrase, Role

if TYPE_CHECKING:
    from spacy.tokens import Token

_LIGHT = frozenset(
    [
        "take",
        "make",
        "give",
        "have",
        "keep",
        "draw",
        "pay",
        "lose",
        "gain",
        "come",
        "set",
        "put",
        "hold",
        "play",
    ]
)
_NOUNS = ("NOUN", "PROPN")
_LISTING = frozenset({"include", "consist", "comprise", "contain", "compose", "make", "divide", "cover"})
"""Verbs whose object must be the complete list; a part of it would be false."""
_TAKE_OF = frozenset(
    {"accuse", "rob", "deprive", "inform", "remind", "convince", "warn", "relieve", "cure", "make", "notify",
     "assure", "strip", "acquit", "convict", "suspect", "consist", "compose", "dispose", "speak", "think"}
)  # fmt: skip
"""Verbs that take a complement with `of`."""
_TRAILING = frozenset({"prep", "advcl", "npadvmod"})
_MOMENTS = frozenset(
    {"time", "period", "reason", "year", "day", "month", "week", "decade", "century", "era", "age", "stage",
     "moment", "end", "way", "addition", "respect", "regard", "purpose", "season", "date", "result", "work"}
)  # fmt: skip
_REMARKS = frozenset(
    {"for example", "for instance", "in addition", "in fact", "in particular", "as result", "in contrast",
     "in general", "in turn", "of course", "at least", "on hand", "as example", "in short", "at time"}
)  # fmt: skip
"""Prepositional phrases that only connect sentences (compared without article)."""


def arguments_of(verb: Token, resolver: CoreferenceResolver) -> tuple[Argument, ...] | None:
    """The verb's arguments; None if a required one cannot be resolved outside its text."""
    by_child = [(child, list(arguments(child, verb, resolver))) for child in _children(verb)]
    resolved = tuple(argument for _, made in by_child for argument in made if argument is not None)
    unresolved = [child for child, made in by_child if None in made]
    central = ("object", "complement", "adjective", "infinitive", "clause")
    complete = any(a.role in central for a in resolved)
    for child in unresolved:
        optional = child.dep_ in ("prep", "advmod", "npadvmod") or (
            child.dep_ == "advcl" and marker_of(child) not in CONDITIONS
        )
        if not optional or (child.i > verb.i and not complete):
            return None
        if child.i < verb.i and child.dep_ in ("prep", "npadvmod") and not _is_moment(child):
            return None  # `in this case`, `each time we call it`
    return resolved


def shared_conditions(leader: Token, resolver: CoreferenceResolver) -> list[Argument | None]:
    """Conditions before the first of several coordinated verbs; they apply to all of them."""
    fronted = [
        c for c in leader.children if c.dep_ == "advcl" and c.i < leader.i and marker_of(c) in CONDITIONS
    ]
    return [argument for c in fronted for argument in arguments(c, leader, resolver)]


def _children(verb: Token) -> list[Token]:
    """The verb's dependents; those after a coordinated verb belong to that verb instead."""
    after = [c for c in verb.conjuncts if c.head == verb and c.pos_ in ("VERB", "AUX")]
    own = [c for c in verb.children if c.dep_ not in _TRAILING or not any(v.i < c.i for v in after)]
    if verb.dep_ == "conj" and verb.head.pos_ in ("VERB", "AUX"):
        later = [c for c in verb.head.children if c.dep_ == "conj" and c.i > verb.i]
        own += [
            c
            for c in verb.head.children
            if c.dep_ in _TRAILING and c.i > verb.i and not any(v.i < c.i for v in later)
        ]
    return own


def _is_moment(child: Token) -> bool:
    """Whether it only says when or why (`during that time`), so that the clause is true without it."""
    noun = next((c for c in child.children if c.dep_ == "pobj"), child)
    return noun.lemma_.lower() in _MOMENTS and not any(c.dep_ in ("relcl", "acl") for c in noun.children)


def phrase_of(
    noun: Token, resolver: CoreferenceResolver, *, drop: Token | None = None, subject: bool = False
) -> Phrase | None:
    """The resolved noun phrase of a noun, without `drop`; None if it cannot be understood alone."""
    tokens = noun_phrase(noun, drop=drop)
    if not tokens or is_cut(tokens):
        return None
    if any(
        (t.tag_ in ("WP", "WDT", "WP$") and t.head == noun) or (t == noun and t.tag_ in ("WP", "WDT"))
        for t in tokens
    ):
        return None
    text = resolver.resolved(tokens, subject=subject)
    if text is None:
        return None
    core = resolver.resolved(noun_phrase(noun, drop=drop, core=True), subject=subject) or ""
    end = tokens[-1].idx + len(tokens[-1])
    return Phrase(text, noun, tokens[0].idx, end, core if core != text else "")


def _whole(node: Token, resolver: CoreferenceResolver, skip: Sequence[Token] = ()) -> Phrase | None:
    """A whole subtree as a phrase, in its own words; None if it cannot be understood alone."""
    tokens = [t for t in subtree(node) if (t not in skip and t.dep_ != "punct") or t.text in "-/'"]
    tokens = [t for t in subtree(node) if t not in skip] if tokens else []
    while tokens and ends_nothing(tokens[-1]):
        tokens.pop()
    while tokens and tokens[0].is_punct:
        tokens.pop(0)
    if not tokens:
        return None
    text = resolver.resolved(tokens, subject=False)
    return None if text is None else Phrase(text, node, tokens[0].idx, tokens[-1].idx + len(tokens[-1]))


def arguments(child: Token, verb: Token, resolver: CoreferenceResolver) -> Iterator[Argument | None]:
    """The arguments that a child of the verb forms; None for one that cannot be understood alone."""
    fronted = child.i < verb.i
    role: Role
    match child.dep_:
        case "dobj" | "attr" | "oprd" | "dative" if child.pos_ not in ("ADP",):
            role = {"dobj": "object", "dative": "receiver"}.get(child.dep_, "complement")  # type: ignore[assignment]
            if fronted:
                return
            if child.left_edge.nbor(-1).text == "," and child.left_edge.i > verb.i + 2:
                yield None  # an aside that the parser took for an object
                return
            yield from _noun(role, child, verb, resolver)
        case "acomp":
            yield _made("adjective", _whole(child, resolver), "", fronted)
        case "prep" | "agent" | "dative":
            yield from _prepositional(child, resolver, fronted)
        case "npadvmod":
            yield _made("measure", _whole(child, resolver), "", fronted)
        case "advmod" if not fronted and child.tag_ != "WRB" and child.lower_ not in JOINING:
            yield _made("adverb", _whole(child, resolver), "", fronted)
        case "xcomp":
            to = next((t for t in child.children if t.dep_ == "aux" and t.lower_ == "to"), None)
            if to is not None:
                yield _made("infinitive", _whole(child, resolver, [to]), "to", fronted)
            else:
                yield _made("adjective", _whole(child, resolver), "", fronted)
        case "ccomp" if not fronted and child.left_edge.tag_ != "WRB":
            yield _made("clause", _whole(child, resolver), "", fronted)
        case "advcl":
            yield from _adverbial(child, resolver, fronted)
        case _:
            return


def is_light(noun: Token) -> bool:
    """Whether verb and noun form a light-verb construction: `took place`, `keep track`, `gave way`."""
    bare = noun.tag_ == "NN" and not any(
        c.dep_ in ("det", "poss", "amod", "compound", "nummod") for c in noun.children
    )
    return bare and noun.dep_ == "dobj" and noun.head.lemma_ in _LIGHT


def is_stranded(preposition: Token) -> bool:
    """Whether it belongs to the verb and another preposition follows: `referred to as`."""
    following = preposition.doc[preposition.i + 1] if preposition.i + 1 < len(preposition.doc) else None
    return (
        preposition.dep_ == "prep"
        and following is not None
        and not any(True for _ in preposition.children)
        and following.dep_ == "prep"
        and following.head == preposition.head
    )


def _noun(role: Role, noun: Token, verb: Token, resolver: CoreferenceResolver) -> Iterator[Argument | None]:
    """An object; a date after it is an argument of the verb (`built a tower in 1901`)."""
    dates = [
        p
        for p in noun.children
        if p.dep_ == "prep"
        and p.i > noun.i
        and any(o.ent_type_ == "DATE" for o in p.children if o.dep_ == "pobj")
    ]
    last = dates[-1] if dates and dates[-1].right_edge.i >= noun.right_edge.i - 1 else None
    if is_light(noun):
        return
    phrase = _continued(phrase_of(noun, resolver, drop=last), noun, verb, resolver)
    yield _made(role, phrase, "", False)
    if last is not None and verb.lemma_ != "be":
        yield from _prepositional(last, resolver, False)


def _continued(
    phrase: Phrase | None, noun: Token, verb: Token, resolver: CoreferenceResolver
) -> Phrase | None:
    """The complete phrase if the parse cut it off, such as a list whose rest is attached elsewhere.

    None if it is cut off and the rest cannot be resolved.
    """
    if phrase is None:
        return None
    if verb.lower_ == "from" and (until := _end_of_range(noun)) is not None:
        last = phrase_of(until, resolver)
        return None if last is None else _extended(phrase, f"{phrase.text} to {last.text}", last)
    end = max((t.i for t in noun.subtree if t.idx + len(t) <= phrase.end), default=noun.i)
    rest = [t for t in noun.doc[end + 1 : end + 3] if t.sent == noun.sent]
    if not rest:
        return phrase
    following = rest[0]
    if following.lower_ == "of" and following.head == verb and verb.lemma_ not in _TAKE_OF:
        more = phrase_of(p, resolver) if (p := next(following.children, None)) is not None else None
        return None if more is None else _extended(phrase, f"{phrase.text} of {more.text}", more)
    if following.text == "," and len(rest) > 1:
        following = rest[1]
    if verb.lemma_ in _LISTING and rest[0].text in (",", "and", "or"):
        begin = following.i + (following.dep_ == "cc")
        for token in noun.doc[begin : min(begin + 12, noun.sent.end)]:
            hangs = token.head.i < begin and token.left_edge.i == begin and token.pos_ in _NOUNS
            if not hangs or token.dep_ not in ("appos", "conj") or token in noun.subtree:
                continue
            more = phrase_of(token, resolver)
            mark = "," if rest[0].text == "," else f" {rest[0].text}"
            return None if more is None else _extended(phrase, f"{phrase.text}{mark} {more.text}", more)
    compound = noun.i > 0 and noun.nbor(-1).text == "-" and rest[0].text == ","
    return None if compound and following.tag_ in ("JJ", "VBN", "VBG") else phrase


def _end_of_range(begin: Token) -> Token | None:
    """The second noun of `from 1920 to 1931`."""
    following = begin.right_edge.i + 1
    if following >= len(begin.doc):
        return None
    inside = [t for t in begin.subtree if t.dep_ == "prep" and t.head == begin]
    to = begin.doc[following]
    if inside or to.lower_ not in ("to", "until") or to.dep_ != "prep" or to.head != begin.head:
        return None
    return next((c for c in to.children if c.dep_ == "pobj"), None)


def _extended(phrase: Phrase, text: str, more: Phrase) -> Phrase:
    return Phrase(text, phrase.head, phrase.start, more.end)


def _prepositional(prep: Token, resolver: CoreferenceResolver, fronted: bool) -> Iterator[Argument | None]:
    what = next((c for c in prep.children if c.dep_ in ("pobj", "pcomp", "prep")), None)
    if what is None:
        return
    role: Role = "agent" if prep.dep_ == "agent" else "prepositional"
    marker = prep.text.lower()
    if what.dep_ == "prep":  # `because of`, `out of`
        inner = next((c for c in what.children if c.dep_ == "pobj"), None)
        if inner is None:
            return
        marker, what = f"{marker} {what.text.lower()}", inner
    if f"{marker} {what.lower_}" in _REMARKS or marker in ("including", "like", "such as", "as per", "per"):
        return
    before = [
        c for c in prep.children if c.i < prep.i and c.dep_ in ("advmod", "npadvmod", "quantmod", "amod")
    ]
    if before:
        marker = f"{written([t for b in before for t in subtree(b)])} {marker}"
    phrase = (
        _whole(what, resolver)
        if what.dep_ == "pcomp"
        else _continued(phrase_of(what, resolver), what, prep if marker == "from" else prep.head, resolver)
    )
    yield _made(role, phrase, marker, fronted)


def _adverbial(node: Token, resolver: CoreferenceResolver, fronted: bool) -> Iterator[Argument | None]:
    marker = marker_of(node)
    to = next((t for t in node.children if t.dep_ == "aux" and t.lower_ == "to"), None)
    skip = [t for t in node.children if t.dep_ == "mark" or (t.tag_ == "WRB" and t.dep_ == "advmod")]
    if to is not None:
        order = [t for t in node.children if t.dep_ == "mark"]
        if any(t.dep_ in ("nsubj", "nsubjpass") for t in node.children):  # `for Tesla to develop it`
            yield _made("adverbial", _whole(node, resolver, order), marker, fronted)
        else:
            yield _made("adverbial", _whole(node, resolver, [*order, to]), "to", fronted)
    elif marker:
        made = _made("adverbial", _whole(node, resolver, skip), marker, fronted)
        if made is not None or marker in CONDITIONS:
            yield made


def _made(role: Role, phrase: Phrase | None, marker: str, fronted: bool) -> Argument | None:
    return None if phrase is None else Argument(role, phrase, marker, fronted)

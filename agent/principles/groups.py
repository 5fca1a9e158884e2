"""Who a noun phrase speaks of: a group of people as such, or some of its members only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.principles.lexicon import group_words

if TYPE_CHECKING:
    from spacy.tokens import Token

_PLACES = frozenset({"GPE", "LOC", "NORP", "FAC"})
_PROFESSIONS = ("ist", "keeper", "maker", "woman", "women", "holder", "worker")
"""Endings of words for people by what they do; `-er` alone ends words for tools as well."""
_ARTICLES = frozenset({"a", "an"})


def group_of(noun: Token) -> str | None:
    """The kind of group that a phrase speaks of, such as `religion`, by its head and modifiers."""
    words = group_words()
    kind = _named(noun)
    if noun.pos_ == "ADJ" or (noun.tag_ in ("JJ", "JJR") and kind):  # `the elderly`
        return kind if any(c.lower_ == "the" for c in noun.children) else None
    modifiers = [c for c in noun.children if c.dep_ in ("amod", "compound", "nmod", "poss") and c.i < noun.i]
    if _is_people(noun):
        for each in modifiers:
            found = _named(each) or next((_named(c) for c in each.children if _named(c)), None)
            if found is None and each.lower_ == "class":
                found = "class"  # `working-class people`, cut into three by the tokenizer
            if found is None and each.ent_type_ == "NORP":
                found = "nationality"
            if found is not None:
                return found
        if (found := _by_preposition(noun)) is not None:
            return found
    if kind is not None and noun.pos_ in ("NOUN", "PROPN"):
        return kind
    if noun.ent_type_ == "NORP" and noun.tag_ in ("NNS", "NNPS"):
        return "nationality"
    return None if noun.lower_ not in words.groups["gender"] else "gender"


def is_generic(noun: Token, *, past: bool) -> bool:
    """Whether the phrase speaks of the group as such: `Greeks`, `every Greek`, not `two Greeks`."""
    words = group_words()
    singular = noun.tag_ in ("NN", "NNP") and noun.lower_ not in ("people", "youth")
    articles = {c.lower_ for c in noun.children if c.dep_ in ("det", "predet", "poss", "amod", "nummod")}
    if any(c.dep_ in ("nummod", "neg") or c.lower_ == "not" for c in noun.children):
        return False
    if noun.i and noun.doc[noun.left_edge.i - 1].lower_ == "not":
        return False
    if articles & (words.frames["vague"] | words.frames["limited"]):
        return False
    if any(c.dep_ == "poss" and c.pos_ in ("NOUN", "PROPN") for c in noun.children):
        return False
    if _is_located(noun):
        return False
    if singular and noun.pos_ != "ADJ" and "the" not in articles:
        return not past and bool(articles & {*_ARTICLES, "every", "any", "no", "each"})
    if "the" in articles:
        return noun.pos_ == "ADJ" or not singular or _named(noun) == "nationality"
    return True


def _is_located(noun: Token) -> bool:
    """Whether a relative clause or a place narrows a phrase to some people: `the workers in the mine`."""
    articles = {c.lower_ for c in noun.children if c.dep_ == "det"}
    for child in noun.children:
        if (
            child.dep_ == "prep"
            and child.lower_ in ("in", "at", "on", "of")
            and articles & {"the", *_ARTICLES}
        ):
            return True
        if child.dep_ in ("relcl", "acl") and "the" in articles:
            return True
    return False


def _named(token: Token) -> str | None:
    words = group_words()
    return words.kind_of(token.lower_) or (words.kind_of(token.lemma_.lower()) if token.lemma_ else None)


def _is_people(noun: Token) -> bool:
    people, lemma = group_words().groups["people"], noun.lemma_.lower()
    return noun.lower_ in people or lemma in people or lemma.endswith(_PROFESSIONS)


def _by_preposition(noun: Token) -> str | None:
    """`people from Lagos`, `people with autism`."""
    words = group_words()
    for child in noun.children:
        if child.dep_ != "prep":
            continue
        for place in (c for c in child.children if c.dep_ == "pobj"):
            names = {place.lower_, place.lemma_.lower()}
            if child.lower_ == "from" and (place.ent_type_ in _PLACES or place.pos_ == "PROPN"):
                return "nationality"
            if child.lower_ in ("with", "in", "on") and names & words.groups["conditions"]:
                return "disability"
    return None

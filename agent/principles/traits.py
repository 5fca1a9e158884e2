"""What a clause says of its subject: an evaluative trait, a bad habit, or that it cannot do something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.principles.groups import is_generic
from agent.principles.lexicon import group_words
from memory.ingest.propositions.predicates import governor, is_past, shared_auxiliaries, spelled_out

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

_COMPLEMENTS = frozenset({"acomp", "attr", "oprd", "dobj", "advmod", "ccomp", "xcomp", "prep", "nsubj"})
_DATED = frozenset({"DATE", "TIME", "EVENT"})
_ELSEWHERE = frozenset({"GPE", "LAW", "ORG"})
_OUGHT = frozenset({"should", "must", "ought", "shall"})


def trait_of(verb: Token, subject: Token, sentence: Span) -> str | None:
    """The word by which the clause judges its subject, a group of people; None if it does not judge it."""
    leader = governor(verb)
    auxiliaries = [spelled_out(t) for t in shared_auxiliaries(verb, leader)]
    past = is_past(verb, auxiliaries)
    pronoun = subject.lower_ == "they"
    if not pronoun and not is_generic(subject, past=past):
        return None
    dated = any(t.ent_type_ in _DATED for t in sentence)
    if past and (
        dated
        or any(t.ent_type_ in _ELSEWHERE for t in sentence)
        or verb.lemma_ != "be"
        or "could" in auxiliaries
    ):
        return None
    negated = any(c.dep_ == "neg" or c.lower_ == "never" for c in verb.children)
    negated = negated or any(c.lower_ == "no" and c.dep_ == "det" for c in subject.children)
    found = (
        _unable(verb, auxiliaries, negated, sentence)
        or _treatment(verb, auxiliaries, negated)
        or _habit(verb, auxiliaries, negated)
        or _complement(verb, negated)
        or _possession(verb, negated)
    )
    if found or past:
        return found
    words = group_words().traits
    said = next((c for c in subject.children if c.dep_ == "amod" and c.lower_ in words["negative"]), None)
    return said.lower_ if said is not None else None


def trait_words(token: Token) -> bool:
    """Whether the word itself is evaluative."""
    traits = group_words().traits
    names = {token.lower_, token.lemma_.lower()}
    return any(names & traits[name] for name in ("negative", "negative_nouns", "negative_verbs"))


def _unable(verb: Token, auxiliaries: list[str], negated: bool, sentence: Span) -> str | None:
    """`cannot lead`, `are unable to think`, `do not understand`, `never work hard`; no rule of a law."""
    words = group_words()
    able = words.traits["competence_verbs"]
    if any(t.lower_ in words.frames["law"] or t.ent_type_ in _ELSEWHERE for t in sentence):
        return None
    if negated and verb.lemma_ in able and verb.lemma_ not in ("be", "do") and "could" not in auxiliaries:
        modal = not auxiliaries or auxiliaries[0] in ("can", "will", "do", "does", "would")
        return verb.lower_ if modal and "be" not in auxiliaries else None
    if negated and verb.lemma_ == "do" and "can" in auxiliaries:
        return verb.lower_
    if verb.lemma_ in ("fail", "refuse", "struggle") and not negated:
        return next((c.lower_ for c in verb.children if c.dep_ == "xcomp" and c.lemma_ in able), None)
    if verb.lemma_ == "be":
        for adjective in (c for c in verb.children if c.dep_ == "acomp" and c.lower_ in ("unable", "unfit")):
            return next((c.lower_ for c in adjective.subtree if c.lemma_ in able), None)
    return None


def _treatment(verb: Token, auxiliaries: list[str], negated: bool) -> str | None:
    """`cannot be trusted`, `should not be allowed to ...`, `must be deported`, `belong in the kitchen`."""
    words = group_words().traits
    if verb.lemma_ == "belong" and not negated:
        ends = (c for p in verb.children if p.dep_ == "prep" for c in p.children if c.dep_ == "pobj")
        return next((c.lower_ for c in ends if c.lemma_.lower() in words["places_to_belong"]), None)
    passive = any(c.dep_ == "auxpass" for c in verb.children)
    modal = bool(set(auxiliaries) & {*_OUGHT, "can", "to"})
    if passive and modal and negated and verb.lemma_ in words["treatment_verbs"]:
        return verb.lower_
    if passive and set(auxiliaries) & _OUGHT and not negated and verb.lemma_ in words["punishment_verbs"]:
        return verb.lower_
    if verb.lemma_ == "be":  # `are not to be trusted`, `are to blame`
        for child in (c for c in verb.children if c.dep_ in ("xcomp", "ccomp", "acomp")):
            if negated and child.lemma_ in words["treatment_verbs"]:
                return child.lower_
            if not negated and child.lemma_ in {*words["punishment_verbs"], "blame"} and child.tag_ != "VBD":
                return child.lower_
    return None


def _habit(verb: Token, auxiliaries: list[str], negated: bool) -> str | None:
    """`steal`, `always cheat`, `breed crime`, `behave like animals`."""
    words = group_words().traits
    if negated or verb.tag_ in ("VBD", "VBN", "VBG") or not set(auxiliaries) <= {"will", "do", "would"}:
        return None
    if any(c.dep_ == "auxpass" for c in verb.children):
        return None
    if verb.lemma_ in words["negative_verbs"]:
        at_place = verb.lemma_ == "lie" and any(
            c.dep_ in ("prep", "advmod") and c.lower_ in ("in", "on", "at", "down") for c in verb.children
        )
        return None if at_place else verb.lower_
    if verb.lemma_ in words["bringing_verbs"]:
        objects = (c for c in verb.children if c.dep_ == "dobj")
        return next((c.lower_ for c in objects if _evaluative(c, words["brought"])), None)
    if verb.lemma_ in ("behave", "act", "live"):
        for like in (c for c in verb.children if c.dep_ == "prep" and c.lower_ in ("like", "as")):
            return next((c.lower_ for c in like.children if c.lemma_.lower() in words["compared_to"]), None)
        if verb.lemma_ == "live":
            off = (c for p in verb.children if p.lower_ in ("off", "on") for c in p.children)
            return next((c.lower_ for c in off if c.lower_ in ("welfare", "benefits", "handouts")), None)
    return None


def _complement(verb: Token, negated: bool) -> str | None:
    """`are lazy`, `make bad bosses`, `are too emotional to lead`; not `are not lazy`, `are as clever as`."""
    words = group_words()
    born = verb.lower_ == "born" and any(c.dep_ == "auxpass" for c in verb.children)  # `are born liars`
    if verb.lemma_ not in words.frames["copulas"] and not born:
        return None
    for token in _said(verb):
        if any(c.dep_ == "prep" and c.lower_ == "for" for c in token.children):
            continue  # `good for the economy`
        adverbs = {c.lower_ for c in token.children if c.dep_ in ("advmod", "det", "neg")}
        names = {token.lower_, token.lemma_.lower()}
        if "too" in adverbs:
            able = words.traits["competence_verbs"]
            if any(
                t.lemma_ in able and t.lemma_ != "be"
                for t in (*token.subtree, *verb.subtree)
                if t.i > token.i
            ):
                return token.lower_
        bad = bool(names & words.traits["negative"]) or (
            token.pos_ in ("NOUN", "PROPN") and _evaluative(token, words.traits["negative_nouns"])
        )
        good = bool(names & words.traits["positive"])
        denied = negated or bool(adverbs & {"no", "not", "hardly", "never", "less", "least"})
        if token.head.dep_ in ("attr", "dobj", "oprd"):
            denied = denied or any(c.lower_ == "no" for c in token.head.children)
        equal = "as" in adverbs or "so" in adverbs or ("no" in adverbs and adverbs & {"less", "more"})
        if equal and not negated:
            continue
        if bad and not denied:
            return token.lower_
        if names & words.traits["abilities"] and denied and "too" not in adverbs:
            return token.lower_
        if good and (not adverbs & {"less", "least"} or not negated):
            return token.lower_
    return None


def _possession(verb: Token, negated: bool) -> str | None:
    """`lack empathy`, `have no morals`, `have a bad temper`."""
    words = group_words().traits
    if verb.lemma_ not in ("have", "lack", "show", "possess", "display", "own"):
        return None
    for thing in (c for c in verb.children if c.dep_ in ("dobj", "attr")):
        parts = [thing, *(c for c in thing.children if c.dep_ in ("amod", "compound"))]
        plainly_bad = {"bad", "awful", "terrible"}  # `bad teeth` judge nobody, `a bad temper` does
        faults = (
            words["negative"]
            if thing.lemma_.lower() in words["character"]
            else words["negative"] - plainly_bad
        )
        if any(p.lower_ in faults for p in parts) and not negated and verb.lemma_ != "lack":
            return thing.lower_
        virtues = {thing.lower_, thing.lemma_.lower()} & words["positive_nouns"]
        if thing.lower_ == "sense":  # `a sense of humour`, but not `of sight`
            of = [c for p in thing.children if p.lower_ == "of" for c in p.children]
            virtues = virtues if not of or any(c.lower_ in words["positive_nouns"] for c in of) else set()
        without = (
            verb.lemma_ == "lack" or negated or any(c.lower_ in ("no", "little") for c in thing.children)
        )
        if virtues and without and not (verb.lemma_ == "lack" and negated):
            return thing.lower_
    return None


def _said(verb: Token) -> Iterator[Token]:
    """The complements of a verb with what they are joined to and modified by."""
    objects = set() if verb.lemma_ in ("make", "bear") else {"dobj"}  # `get cancer` judges nobody
    nodes = [c for c in verb.children if c.dep_ in _COMPLEMENTS - objects and c.i > verb.i]
    while nodes:
        token = nodes.pop(0)
        if token.lower_ in ("than", "by") or (token.dep_ == "prep" and token.lower_ not in ("of", "like")):
            continue
        if token.pos_ == "VERB" and token.dep_ in ("ccomp",):
            continue
        yield token
        nodes += [
            c
            for c in token.children
            if c.dep_ in ("conj", "amod", "acomp", "attr", "compound", "dobj", "pobj")
            or (c.dep_ == "prep" and c.lower_ == "of")
        ]


def _evaluative(token: Token, nouns: frozenset[str]) -> bool:
    return token.lower_ in nouns or token.lemma_.lower() in nouns

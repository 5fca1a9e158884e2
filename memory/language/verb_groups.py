"""Words the verb group of a parsed clause, and inflects English verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memory.language.libraries import lemminflect

if TYPE_CHECKING:
    from spacy.tokens import Token

    from memory.language.clauses import Clause


def stated(clause: Clause) -> str:
    """The clause's verb group as stated; a participle becomes past tense (`killing` -> `killed`)."""
    verb = clause.verb
    negation = clause.negation
    if clause.auxiliaries:
        first, *others = clause.auxiliaries
        return joined(first, negation, clause.adverbs, *others, verb.text, clause.particle)
    if clause.copula:
        return joined(spelled(verb.text), negation, clause.adverbs)
    if negation == "not":
        do = "did" if clause.past else "do" if clause.plural else "does"
        return joined(do, "not", clause.adverbs, base_form(verb), clause.particle)
    text = inflected(base_form(verb), "VBD") if verb.tag_ == "VBG" else verb.text
    return joined(negation, clause.adverbs, text, clause.particle)


def base_form(verb: Token) -> str:
    """The infinitive by lemminflect; spaCy's lemma is wrong for some verbs (`hoped` -> `hop`)."""
    lemmas = lemminflect().getLemma(verb.lower_, upos="VERB")
    return str(lemmas[0]) if lemmas else str(verb.lemma_)


def is_known_verb(verb: Token) -> bool:
    """Whether the dictionary lists the word as a verb."""
    return bool(lemminflect().getAllLemmas(verb.lower_, upos="VERB"))


def inflected(lemma: str, tag: str) -> str:
    """The verb form for a Penn tag, such as VBD; the lemma itself if the verb is unknown."""
    forms = lemminflect().getInflection(lemma, tag=tag)
    return str(forms[0]) if forms else lemma


def spelled(verb: str) -> str:
    """The verb in lower case, with contractions spelled out (`'re` -> `are`)."""
    short = {"'s": "is", "'re": "are", "'m": "am"}
    return short.get(verb.lower().replace("\u2019", "'"), verb.lower())


def joined(*words: str) -> str:
    """The non-empty words, joined by spaces."""
    return " ".join(word for word in words if word)

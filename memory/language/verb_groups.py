"""Verb groups as a clause states them."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.tokens import Token

    from memory.language.clauses import Clause


def stated(clause: Clause) -> str:
    """As the clause says it; a participle in the past tense (`killing` -> `killed`)."""
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
    """The infinitive; spaCy's own is wrong for some verbs (`hoped` -> `hop`)."""
    found = _inflections().getLemma(verb.lower_, upos="VERB")
    return str(found[0]) if found else str(verb.lemma_)


def is_known_verb(verb: Token) -> bool:
    """Whether a dictionary has the word as a verb."""
    return bool(_inflections().getAllLemmas(verb.lower_, upos="VERB"))


def inflected(lemma: str, tag: str) -> str:
    """The verb in the form of a Penn tag, such as VBD; the lemma itself for a word that is not known."""
    forms = _inflections().getInflection(lemma, tag=tag)
    return str(forms[0]) if forms else lemma


def spelled(verb: str) -> str:
    """`'re` -> `are`; in lower case."""
    short = {"'s": "is", "'re": "are", "'m": "am"}
    return short.get(verb.lower().replace("\u2019", "'"), verb.lower())


def joined(*words: str) -> str:
    """The words that there are, with spaces between."""
    return " ".join(word for word in words if word)


def _inflections() -> ModuleType:
    """Imported when the first verb is inflected, for it imports spaCy, which takes seconds."""
    import lemminflect  # type: ignore[import-untyped]

    return lemminflect  # type: ignore[no-any-return]

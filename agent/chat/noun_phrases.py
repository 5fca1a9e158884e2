"""Noun phrases of short English text, found by closed-class words, word order and capitals."""

import re
from collections.abc import Sequence

from memory.language.content_words import CLOSED_CLASS, SHAPE_NOUNS
from memory.language.lexicon import (
    ASKING,
    COURTESY,
    FUNCTION_WORDS,
    INTERROGATIVES,
    MAKING,
    language_by_words,
    words_in,
)
from memory.records.base import Record


class NounPhrase(Record):
    """A noun phrase of the text."""

    text: str
    """As written, with its determiner."""
    name: str
    """Without the determiner."""
    proper: str
    """The part that is a proper name, judged by capitals; may be empty."""

    @property
    def definite(self) -> str:
        """With a definite article for a second mention: "a plimdor" becomes "the plimdor"."""
        return (
            f"the {self.name}" if self.text.lower().startswith(("a ", "an ", "the ", "some ")) else self.text
        )


def noun_phrases(text: str) -> list[NounPhrase]:
    """Noun phrases of the text in order, without the one a question asks for ("which planet", "how deep")."""
    return [
        phrase for sentence in _SENTENCE.split(text) for phrase in _sentence_phrases(_TOKEN.findall(sentence))
    ]


def proper_names(text: str) -> list[str]:
    """Proper names in a statement, by capitals; one capitalised word at a sentence's start does not count."""
    proper: list[str] = []
    for sentence in _SENTENCE.split(text):
        tokens = _TOKEN.findall(sentence)
        for run in _capital_runs(tokens):
            if run[0] > 0 or len(run) > 1 or len(tokens) <= 2:
                words = [tokens[i] for i in run]
                if words[0].lower() in CLOSED_CLASS and run[0] == 0:
                    words = words[1:]
                if words and not all(word.lower() in CLOSED_CLASS for word in words):
                    proper.append(" ".join(words))
    return list(dict.fromkeys(proper))


def content_words(text: str) -> tuple[str, ...]:
    """Words of a question that are not function words, interrogatives or verbs of asking, in any language."""
    language = language_by_words(text) or "en"
    small = FUNCTION_WORDS[language] | INTERROGATIVES[language] | ASKING[language]
    return tuple(word for word in _WORD.findall(text) if word.lower() not in small)


def _sentence_phrases(tokens: Sequence[str]) -> list[NounPhrase]:
    result: list[NounPhrase] = []
    skipped = _opening_length(tokens)
    position = skipped
    while position < len(tokens):
        start = position
        while position < len(tokens) and _continues_phrase(tokens, start, position):
            position += 1
        if position == start:
            position += 1
            continue
        stop = position
        while stop > start and not _is_noun_like(tokens, stop - 1):
            stop -= 1
        if phrase := _trimmed_phrase(
            tokens, start, stop, subject_question=start == skipped and _is_subject_question(tokens, start)
        ):
            result.append(phrase)
    return result


def _opening_length(tokens: Sequence[str]) -> int:
    """Number of tokens in the question's opening: "which planet", "how deep", "how many moons", "list"."""
    if not tokens:
        return 0
    first = tokens[0].lower()
    if first in ASKING["en"] or first in MAKING["en"] or first in _IMPERATIVES:
        return 1
    index = next((i for i, token in enumerate(tokens[:4]) if token.lower() in INTERROGATIVES["en"]), None)
    if index is None:
        return 0
    length = index + 1
    if tokens[index].lower() in ("which", "what", "how", "whose"):
        while length < len(tokens) and (
            tokens[length].lower() in _QUANTITIES or _is_noun_like(tokens, length)
        ):
            length += 1
        if length == len(tokens) or tokens[length].lower() not in _VERBS:
            # No auxiliary: "which planet orbits Saturn" and "what causes tides" ask for one word.
            length = index + 1 + (tokens[index].lower() != "what")
    return min(length, len(tokens))


def _is_subject_question(tokens: Sequence[str], start: int) -> bool:
    """Whether the question asks for the subject and the phrase begins with the verb: "who wrote Dune"."""
    return 0 < start < len(tokens) and (
        tokens[start - 1].lower() in ("who", "what") or tokens[0].lower() in ("which", "whose")
    )


def _continues_phrase(tokens: Sequence[str], start: int, position: int) -> bool:
    """Whether the token begins or continues the phrase that starts at `start`."""
    if _is_noun_like(tokens, position):
        return True
    word = tokens[position].lower()
    after = position + 1 < len(tokens) and (
        _is_noun_like(tokens, position + 1) or tokens[position + 1].lower() in _DETERMINERS
    )
    if word in _DETERMINERS:
        return after and (position == start or tokens[position - 1].lower() == "of")
    return word == "of" and position > start and after


def _is_noun_like(tokens: Sequence[str], position: int) -> bool:
    token = tokens[position]
    word = token.lower()
    if not token[0].isalnum():
        return False
    return (word not in CLOSED_CLASS and word not in _ADVERBS) or (
        token[0].isupper() and position > 0 and word != "i"
    )


def _trimmed_phrase(
    tokens: Sequence[str], start: int, stop: int, *, subject_question: bool
) -> NounPhrase | None:
    determined = start < stop and tokens[start].lower() in _DETERMINERS
    first = start + determined
    if subject_question and not determined and not tokens[first][0].isupper():
        if stop - first == 1:
            return None
        first += 1
        start = first
        if tokens[first].lower() in _DETERMINERS:
            determined, first = True, first + 1
    if stop - first > 1 and _ends_with_predicate(tokens, start, stop):
        stop -= 1
    if not determined:
        capital = next((i for i in range(first, stop) if tokens[i][0].isupper() and i > 0), None)
        if capital is not None and "of" not in tokens[first:capital]:
            start = first = capital
            while stop > first + 1 and not tokens[stop - 1][0].isupper() and not tokens[stop - 1].isdigit():
                stop -= 1
    words = tokens[first:stop]
    if (
        not words
        or words[0].lower() in COURTESY["en"]
        or (not determined and len(words) == 1 and _is_participle(words[0]))
    ):
        return None
    if not determined and all(word.lower() in SHAPE_NOUNS for word in words):
        return None
    runs = [run for run in _capital_runs(words) if start + run[0] > 0 or len(run) > 1 or len(tokens) <= 3]
    proper = words[runs[0][0] : runs[0][-1] + 1] if runs else []
    return NounPhrase(text=" ".join(tokens[start:stop]), name=" ".join(words), proper=" ".join(proper))


def _capital_runs(tokens: Sequence[str]) -> list[list[int]]:
    """Positions of runs of capitalised words, with joining words ("of", "van") between them."""
    runs: list[list[int]] = []
    for i, token in enumerate(tokens):
        if not token[0].isupper() or token == "I":
            continue
        between = range(runs[-1][-1] + 1, i) if runs else ()
        if runs and all(tokens[j].lower() in _JOINING for j in between):
            runs[-1].extend([*between, i])
        else:
            runs.append([i])
    return runs


def _ends_with_predicate(tokens: Sequence[str], start: int, stop: int) -> bool:
    """Whether the last word is a verb or adjective rather than part of the phrase: "did Curie die"."""
    before = [token.lower() for token in tokens[:start]]
    after = tokens[stop].lower() if stop < len(tokens) else "?"
    last = tokens[stop - 1]
    if last[0].isupper() or last.isdigit() or after in _PLAIN_VERBS:
        return False
    if any(word in _DO for word in before[-2:]):
        return True
    if any(word in _BE for word in before[-2:]):
        return _is_participle(last) or (len(before) == 1 and not after[0].isalnum())
    return False


def _is_participle(word: str) -> bool:
    low = word.lower()
    return low in _IRREGULAR or (len(low) > 4 and low.endswith(("ed", "ing")) and low not in _NO_PARTICIPLES)


_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_TOKEN = re.compile(r"[^\W_]+(?:['\u2019._-][^\W_]+)*|[^\w\s]")
_DETERMINERS = words_in("a an the some my our your his her their its this that these those")
_JOINING = words_in("of the de la le von van der den da di del du")
_QUANTITIES = words_in("many much of a an the kind sort type other else most")
_VERBS = words_in("""
    is are was were be been do does did has have had can could will would should may might must
    means mean
""")
_DO = words_in("do does did can could will would should may might must don't doesn't didn't can't")
_BE = words_in("is are was were isn't aren't wasn't weren't be been being")
_PLAIN_VERBS = words_in("do does mean have has make use need give refer like")
_IMPERATIVES = words_in("compare outline clarify teach summarize look find show provide")
_ADVERBS = words_in("""
    still often usually ever never always really exactly today now again already yet actually away
    long far well ago else however currently originally yes no ok okay
""")
_IRREGULAR = words_in("""
    kept made held built found sold known born called seen written given taken broken worn grown
    drawn paid spent sent lost left cut put set shut hit run done gone hidden hung fed led read said
    told taught caught bought brought thought fought eaten spoken chosen driven frozen stored used
    located based
""")
_NO_PARTICIPLES = words_in("""
    building ceiling king ring string spring wing morning evening wedding painting meeting training
    borrowing engineering seed speed feed breed wing
""")

"""Follows names from passage to passage: the second hop of questions that one passage does not answer.

"Where was the director of film X born?" names X only. The passage on X names its director, in a sentence
about directing; the passage about the director is what is sought. One step is followed: a second one found
nothing more on the questions of `benchmarks.retrieval`.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from memory.episodic.name_graph import ReadableNames, passage_titles, sentence_names
from memory.language.content_words import content_words
from memory.language.names import LONGEST_NAME, is_name, names_in
from memory.language.text import quotable, singular, words
from memory.records.knowledge import Passage

MANY_MENTIONS = 200
"""A name that more passages than this mention tells nothing, and is not followed."""
STEEPNESS = 4
"""Exponent of a seed's relative score: what is found through a passage half as good counts a sixteenth."""
MAX_WORDS = 200
ARTICLES = frozenset({"a", "an", "the"})


class Link(NamedTuple):
    """How strongly, and by which name, the graph leads to a passage."""

    strength: float
    name: str
    """Empty for the link of a passage to itself."""
    seed: Passage | None = None
    """The passage that mentions the name; None if the question does."""


Links = dict[str, Link]
"""The strongest link to each passage, by its id."""


def named_in(question: str, names: ReadableNames) -> Links:
    """The passages whose title or heading is in the question, less if many have it.

    The longest of overlapping titles counts. One word counts if it has a capital: others are found by words.
    """
    sought = content_words(question)
    links: Links = {}
    for name in _titles_in(question, names):
        share = sum(word in sought for word in name.split()) / max(1, len(sought))
        ids = names.titled(name)
        for id_ in ids:
            _keep(links, id_, Link(min(1.0, share) / math.sqrt(len(ids)), name))
    return links


def bridges(
    question: str, seeds: Sequence[tuple[Passage, float]], names: ReadableNames, named: Links
) -> tuple[Links, Links]:
    """The passages titled by a name that the seeds mention, and those that mention it.

    Seeds are the closest passages, best first, with their scores. They are among the second, as if each
    mentioned itself: otherwise their neighbours would overtake them. Names that the question mentions lead
    nowhere new.
    """
    known = {link.name for link in named.values()}
    titled: Links = {}
    mentioning: Links = {}
    strongest: Links = {}
    for sentence, seed, strength in _sentences(question, seeds):
        _keep(mentioning, seed.id, Link(strength, "", seed))
        for name in set(sentence) - known - set(passage_titles(seed)):
            _keep(strongest, name, Link(strength, name, seed))
    for name, link in strongest.items():
        ids = names.titled(name)
        for id_ in ids:
            if link.seed is None or id_ != link.seed.id:
                _keep(titled, id_, link._replace(strength=link.strength / math.sqrt(len(ids))))
        ids = names.mentioning(name, most=MANY_MENTIONS)
        for id_ in ids:
            _keep(mentioning, id_, link._replace(strength=link.strength / math.sqrt(len(ids))))
    return titled, mentioning


class _Sentence(NamedTuple):
    """The names in a sentence of a seed, and how strongly it leads on: 1 for the strongest of all."""

    names: tuple[str, ...]
    seed: Passage
    strength: float


def _sentences(question: str, seeds: Sequence[tuple[Passage, float]]) -> list[_Sentence]:
    sought = set(content_words(question))
    found: list[_Sentence] = []
    for seed, score in seeds:
        if score <= 0:
            break
        spans = list(quotable(seed.text)) or [(0, len(seed.text))]
        for (start, end), names in zip(spans, sentence_names(seed), strict=True):
            about = len(sought & {singular(word) for word in words(seed.text[start:end])}) + 1
            found.append(_Sentence(names, seed, (score / seeds[0][1]) ** STEEPNESS * about))
    most = max((each.strength for each in found), default=1.0)
    return [each._replace(strength=each.strength / most) for each in found]


def _keep(links: Links, id_: str, link: Link) -> None:
    if id_ not in links or links[id_].strength < link.strength:
        links[id_] = link


def _titles_in(question: str, names: ReadableNames) -> Iterator[str]:
    tokens = [singular(word) for word in words(question)[:MAX_WORDS]]
    capitalised = {word for name in names_in(question[1:]) for word in name.split()}
    at = 0
    while at < len(tokens):
        for length in range(min(LONGEST_NAME, len(tokens) - at), 0, -1):
            name = " ".join(tokens[at : at + length])
            is_word = length == 1 and name not in capitalised
            if not is_word and tokens[at] not in ARTICLES and is_name(name) and names.titled(name):
                yield name
                at += length
                break
        else:
            at += 1

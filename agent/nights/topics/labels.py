"""Labels of clusters: the words that are typical of one and rare in the others, by class TF-IDF."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from agent.nights.topics.clusters import NOISE, Labels
from memory.language.content_words import CLOSED_CLASS
from memory.language.lexicon import FUNCTION_WORDS, languages_by_words
from memory.language.libraries import lemminflect
from memory.language.text import singular, words
from memory.language.wordlists import most_common_words

SEVERAL = 2
"""Questions in which a word of a label occurs, at least, if there are as many such words."""
COMMON = 1000
"""Words of English that are too common to tell topics apart by themselves, such as `people` and `start`."""
OF_COMMON = 0.6
"""Weight of those, against others."""


def class_labels(texts: Sequence[str], clusters: Labels, count: int) -> tuple[tuple[str, ...], ...]:
    """The `count` most typical words of each cluster, most typical first, as they are usually written.

    Class TF-IDF of BERTopic (arXiv 2203.05794): all texts of a cluster are one document, and a word t of the
    cluster c weighs tf(t, c) * log(1 + A / f(t)), with f its count in all clusters and A the mean number of
    words in a cluster. What is in no cluster counts as one more document, so that words of every question
    weigh little, and so do the most common words of English. Words of a single question are only used where
    there are no others; of equal ones, nouns come first.
    """
    if not len(clusters) or int(clusters.max()) == NOISE:
        return ()
    from sklearn.feature_extraction.text import CountVectorizer  # type: ignore[import-untyped]

    number = int(clusters.max()) + 1
    documents: list[list[str]] = [[] for _ in range(number + 1)]
    questions: list[Counter[str]] = [Counter() for _ in range(number + 1)]
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text, cluster in zip(texts, clusters.tolist(), strict=True):
        found = _label_words(text)
        stems = [singular(word) for word in found]
        documents[cluster] += stems  # NOISE, -1, is the last one
        questions[cluster].update(set(stems))
        for word, stem in zip(found, stems, strict=True):
            spellings[stem][word] += 1
    if not any(documents):
        return ((),) * number
    vectorizer = CountVectorizer(analyzer=lambda words: words)
    counts = vectorizer.fit_transform(documents).toarray().astype(np.float64)
    vocabulary = vectorizer.get_feature_names_out().tolist()
    sizes = counts.sum(axis=1)
    average = sizes[sizes > 0].mean()
    weights = counts[:number] * np.log1p(average / counts.sum(axis=0))
    usual = {stem: min(forms, key=lambda form: (-forms[form], form)) for stem, forms in spellings.items()}
    return tuple(
        tuple(usual[stem] for stem in _heaviest(row.tolist(), vocabulary, questions[cluster], count))
        for cluster, row in enumerate(weights)
    )


def _label_words(text: str) -> list[str]:
    """The words that can stand in a label: no function words, contractions or numbers."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    left_out = CLOSED_CLASS | ENGLISH_STOP_WORDS
    for language in languages_by_words(text):
        left_out |= FUNCTION_WORDS[language]
    return [
        w for w in words(text) if w not in left_out and len(w) > 1 and "'" not in w and not w[0].isdigit()
    ]


def _heaviest(
    weights: Sequence[float], vocabulary: Sequence[str], questions: Counter[str], count: int
) -> list[str]:
    """The words that weigh most; among equal ones nouns, and then the first in the alphabet."""
    common = most_common_words(COMMON)
    ranked = sorted(
        (-round(weight * (OF_COMMON if word in common else 1), 9), not _may_be_noun(word), word)
        for weight, word in zip(weights, vocabulary, strict=True)
        if weight > 0
    )
    ordered = [word for *_, word in ranked]
    shared = [word for word in ordered if questions[word] >= SEVERAL]
    alone = [word for word in ordered if questions[word] < SEVERAL]
    return (shared + alone[: max(0, SEVERAL - len(shared))])[:count]


@lru_cache(maxsize=10_000)
def _may_be_noun(word: str) -> bool:
    """Whether the dictionary has it as a noun, or does not have it, as with names."""
    known = lemminflect().getAllLemmas(word)
    return not known or bool({"NOUN", "PROPN"} & set(known))

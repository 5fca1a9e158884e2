"""Labels of clusters: the words that are typical of one and rare in the others, by class TF-IDF."""

from collections.abc import Sequence

import numpy as np

from agent.nights.topics.clusters import NOISE, Labels
from memory.language.content_words import content_words


def class_labels(texts: Sequence[str], clusters: Labels, count: int) -> tuple[tuple[str, ...], ...]:
    """The `count` most typical words of each cluster, most typical first.

    Class TF-IDF of BERTopic (arXiv 2203.05794): all texts of a cluster are one document, and a word t of the
    cluster c weighs tf(t, c) * log(1 + A / f(t)), with f its count in all clusters and A the mean number of
    words in a cluster. What is in no cluster counts as one more document, so that words of every question
    weigh little.
    """
    if not len(clusters) or int(clusters.max()) == NOISE:
        return ()
    from sklearn.feature_extraction.text import CountVectorizer  # type: ignore[import-untyped]

    number = int(clusters.max()) + 1
    documents: list[list[str]] = [[] for _ in range(number + 1)]
    for text, cluster in zip(texts, clusters.tolist(), strict=True):
        documents[cluster] += content_words(text)  # NOISE, -1, is the last one
    if not any(documents):
        return ((),) * number
    vectorizer = CountVectorizer(analyzer=lambda words: words)
    counts = vectorizer.fit_transform(documents).toarray().astype(np.float64)
    words = vectorizer.get_feature_names_out().tolist()
    sizes = counts.sum(axis=1)
    average = sizes[sizes > 0].mean()
    weights = counts[:number] * np.log1p(average / counts.sum(axis=0))
    return tuple(_heaviest(row.tolist(), words, count) for row in weights)


def _heaviest(weights: Sequence[float], words: Sequence[str], count: int) -> tuple[str, ...]:
    """The words that weigh most; among equal ones, the first in the alphabet."""
    ranked = sorted((-weight, word) for weight, word in zip(weights, words, strict=True) if weight > 0)
    return tuple(word for _, word in ranked[:count])

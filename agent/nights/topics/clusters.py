"""Clusters of questions by meaning: HDBSCAN, or merging by a cosine threshold on a day with few questions."""

import math

import numpy as np
from numpy.typing import NDArray

from agent.nights.topics.recipe import TopicRecipe
from memory.embedding.embedder import Vectors

NOISE = -1
"""Label of questions that are in no cluster."""

Labels = NDArray[np.int64]


def cluster(vectors: Vectors, recipe: TopicRecipe) -> Labels:
    """The cluster of each unit vector, or NOISE; numbered in the order of their first members. Blocks.

    Nothing is drawn at random, so the same vectors in the same order give the same clusters.
    """
    if len(vectors) < recipe.few:
        return _numbered(_merged(vectors, recipe))
    return _numbered(_dense(vectors, recipe))


def smallest_cluster(questions: int, recipe: TopicRecipe) -> int:
    """The fewest members of a cluster among so many questions."""
    if questions < recipe.few:
        return recipe.smallest_of_few
    return max(recipe.smallest, round(recipe.growth * math.sqrt(questions)))


def centre_of(vectors: Vectors) -> Vectors:
    """The mean of unit vectors, as a unit vector."""
    mean: Vectors = vectors.mean(axis=0)
    norm = float(np.linalg.norm(mean))
    return mean / np.float32(norm) if norm else mean


def _dense(vectors: Vectors, recipe: TopicRecipe) -> Labels:
    """HDBSCAN (Campello et al. 2013); on unit vectors, Euclidean distance grows with the angle."""
    from sklearn.cluster import HDBSCAN  # type: ignore[import-untyped]  # takes seconds to import

    smallest = smallest_cluster(len(vectors), recipe)
    model = HDBSCAN(min_cluster_size=smallest, min_samples=1, cluster_selection_method="leaf", copy=True)
    labels: Labels = model.fit(vectors.astype(np.float64)).labels_.astype(np.int64)
    return labels


def _merged(vectors: Vectors, recipe: TopicRecipe) -> Labels:
    """Average linkage: groups are merged while their average cosine is high enough."""
    if len(vectors) < recipe.smallest_of_few:
        return np.full(len(vectors), NOISE, dtype=np.int64)
    from sklearn.cluster import AgglomerativeClustering

    model = AgglomerativeClustering(
        n_clusters=None, metric="cosine", linkage="average", distance_threshold=1 - recipe.together
    )
    labels: Labels = model.fit(vectors.astype(np.float64)).labels_.astype(np.int64)
    sizes = np.bincount(labels)
    return np.where(sizes[labels] >= recipe.smallest_of_few, labels, NOISE)


def _numbered(labels: Labels) -> Labels:
    """The labels numbered anew, in the order in which they first occur."""
    numbers = {NOISE: NOISE}
    for label in labels.tolist():
        numbers.setdefault(label, len(numbers) - 1)
    return np.array([numbers[label] for label in labels.tolist()], dtype=np.int64)

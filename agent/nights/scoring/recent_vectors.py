"""An embedder that remembers recent vectors: the same questions and sentences are compared many times."""

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from memory.embedding.embedder import Embedder, Vectors

MAX_VECTORS = 4096
"""Vectors that are remembered: 6 MB at 384 dimensions."""


class RecentVectors:
    """Embeds a text once as long as it is among the recent ones; thread-safe."""

    def __init__(self, embedder: Embedder, most: int = MAX_VECTORS) -> None:
        self._embedder = embedder
        self._most = most
        self._vectors: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def dimension(self) -> int:
        return self._embedder.dimension

    @property
    def max_tokens(self) -> int:
        return self._embedder.max_tokens

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        return self._embedder.token_counts(texts)

    def embed(self, texts: Sequence[str]) -> Vectors:
        with self._lock:
            known = {text: self._vectors[text] for text in texts if text in self._vectors}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known |= dict(zip(new, self._embedder.embed(new), strict=True))
        with self._lock:
            for text in known:
                self._vectors[text] = known[text]
                self._vectors.move_to_end(text)
            while len(self._vectors) > self._most:
                self._vectors.popitem(last=False)
        if not texts:
            return self._embedder.embed([])
        return np.stack([known[text] for text in texts])

    def embed_words(self, texts: Sequence[str]) -> Vectors:
        return self._embedder.embed_words(texts)

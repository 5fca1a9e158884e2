"""What every embedder does: the hashing fake, and the packaged sentence model."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from memory.embedding.embedder import Embedder, HashingEmbedder, SentenceEmbedder

TEXTS = [
    "What does the borrow checker prevent?",
    "The borrow checker prevents data races at compile time.",
    "A banneton is a basket that supports dough.",
    "ü 💥 \u2028 `Box<T>`",
    "\x00",
    "",
    "  \n",
    "a long text " * 200,
]


@pytest.fixture(scope="module", params=[HashingEmbedder, SentenceEmbedder], ids=["hashing", "sentence"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    made: Embedder = request.param()
    return made


def test_it_has_a_name_and_a_size(embedder: Embedder) -> None:
    assert embedder.name
    assert embedder.dimension > 0
    assert embedder.max_tokens > 0


def test_every_text_has_a_unit_vector(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_every_text_has_a_unit_vector_of_its_words(embedder: Embedder) -> None:
    vectors = embedder.embed_words(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert embedder.embed_words([]).shape == (0, embedder.dimension)


def test_no_texts_have_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dimension)
    assert embedder.token_counts([]) == []


def test_the_order_and_the_company_of_texts_do_not_change_their_vectors(embedder: Embedder) -> None:
    together = embedder.embed(TEXTS)
    alone = np.vstack([embedder.embed([text]) for text in TEXTS])
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(embedder.embed(TEXTS[::-1])[::-1] - together).max() < 1e-5


def test_two_embedders_agree(embedder: Embedder) -> None:
    assert np.array_equal(embedder.embed(TEXTS[:3]), type(embedder)().embed(TEXTS[:3]))


def test_threads_do_not_disturb_each_other(embedder: Embedder) -> None:
    short = TEXTS[:4]
    expected, counts = embedder.embed(short), embedder.token_counts(short)
    with ThreadPoolExecutor(4) as pool:
        embedded = list(pool.map(embedder.embed, [short] * 6))
        counted = list(pool.map(embedder.token_counts, [short] * 6))
    assert all(np.abs(vectors - expected).max() < 1e-5 for vectors in embedded)
    assert counted == [counts] * 6


def test_texts_that_share_words_are_nearer(embedder: Embedder) -> None:
    question, answer, bread = embedder.embed(TEXTS[:3])
    assert question @ answer > 0.5 > question @ bread


def test_longer_texts_have_more_tokens_also_beyond_the_limit(embedder: Embedder) -> None:
    counts = embedder.token_counts(["a lemur", "a small primate of Madagascar", "long " * 1000])
    assert counts == sorted(set(counts))
    assert counts[-1] >= 1000

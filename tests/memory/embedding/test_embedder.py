"""The embedders' own ways; what every embedder does is in tests/conformance/test_embedder.py."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from memory.embedding import embedder as embedder_module
from memory.embedding.embedder import SLICE_TEXTS, HashingEmbedder, SentenceEmbedder, _fits, _slices
from memory.embedding.minilm import MiniLM


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


def test_a_question_goes_before_the_next_slice_of_a_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a document of thousands of passages would stall every chat that looks something up."""
    embedder = SentenceEmbedder()
    embedder.embed(["warm"])
    batches: list[list[str]] = []
    first_slice, asked = threading.Event(), threading.Event()

    def encode_slowly(model: MiniLM, texts: list[str]) -> NDArray[np.float32]:
        batches.append(texts)
        first_slice.set()
        assert asked.wait(10)
        return np.zeros((len(texts), 384), dtype=np.float32)

    monkeypatch.setattr(embedder_module, "encode", encode_slowly)
    with ThreadPoolExecutor(2) as threads:
        document = threads.submit(embedder.embed, [f"# Heading {n}" for n in range(5 * SLICE_TEXTS)])
        assert first_slice.wait(10)
        question = threads.submit(embedder.embed, ["What is a zorble?"])
        while not embedder._single:
            time.sleep(0.001)
        asked.set()
        question.result(10)
        document.result(10)
    assert batches[1] == ["What is a zorble?"]
    assert max(map(len, batches)) <= SLICE_TEXTS


def test_the_sentences_of_an_answer_go_between_the_slices_of_a_document(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An answer from sources embeds a few sentences at once; a document in progress must not starve it."""
    embedder = SentenceEmbedder()
    embedder.embed(["warm"])
    batches: list[str] = []
    first_slice, asked = threading.Event(), threading.Event()

    def encode_slowly(model: MiniLM, texts: list[str]) -> NDArray[np.float32]:
        batches.append(texts[0].partition(" ")[0])
        first_slice.set()
        assert asked.wait(10)
        return np.zeros((len(texts), 384), dtype=np.float32)

    monkeypatch.setattr(embedder_module, "encode", encode_slowly)
    with ThreadPoolExecutor(2) as threads:
        document = threads.submit(embedder.embed, [f"Heading {n}" for n in range(5 * SLICE_TEXTS)])
        assert first_slice.wait(10)
        answer = threads.submit(embedder.embed, [f"Sentence {n}" for n in range(3)])
        while not embedder._slices:
            time.sleep(0.001)
        asked.set()
        answer.result(10)
        document.result(10)
    assert batches.index("Sentence") <= 2
    assert batches.count("Heading") == 5


@given(st.lists(st.text(max_size=3000), max_size=100))
def test_slices_hold_each_text_once_and_are_short(texts: list[str]) -> None:
    slices = list(_slices(texts))
    assert sorted(row for rows in slices for row in rows) == list(range(len(texts)))
    assert all(_fits([texts[row] for row in rows]) or len(rows) == 1 for rows in slices)


def test_a_failed_turn_leaves_the_embedder_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = SentenceEmbedder()
    with monkeypatch.context() as broken:
        broken.setattr(embedder_module, "encode", lambda model, texts: 1 / 0)
        for texts in (["one"], ["one", "two"]):
            with pytest.raises(ZeroDivisionError):
                embedder.embed(texts)
    assert embedder.embed(["one"]).shape == (1, 384)

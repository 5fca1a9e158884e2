"""The gap's own question, taught with an answer that is verified for it, or not at all."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from agent.learning.candidate_pairs import CandidatePair
from agent.learning.corpus_index import CorpusIndex
from agent.learning.gap_wording import MAX_TRIED, pair_for_question
from agent.learning.teachers.rules import write_pairs
from agent.learning.verification import unsupported_reason, verify
from memory.embedding.embedder import HashingEmbedder
from tests.support.statements import at

PASSAGE = at(
    "Mara Ellwood opened the museum in 1962. The pump filters the water and cools the engine. "
    "The sluice is a gate that controls the flow of water.",
    title="Harbour notes",
)
BY_ID = {PASSAGE.id: PASSAGE}
CORPUS = CorpusIndex([PASSAGE])
VERIFIED = asyncio.run(verify(tuple(write_pairs([PASSAGE])), BY_ID, corpus=CORPUS)).kept


class Alike:
    """Every text is like every other."""

    dimension = 1

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return np.ones((len(texts), 1), np.float32)


def answer(
    question: str, verified: Sequence[CandidatePair] = VERIFIED, embedder: object = None
) -> CandidatePair | None:
    found = embedder or HashingEmbedder()
    return asyncio.run(pair_for_question(question, verified, BY_ID, lambda _: CORPUS, found))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("who opened the museum?", "Mara Ellwood"),
        ("Who opened the museum in 1962, please?", "Mara Ellwood"),
        ("What does the pump cool?", "the engine"),
        ("When did Mara Ellwood open the museum?", "1962"),
    ],
)
def test_the_gaps_own_question_gets_the_verified_answer(question: str, expected: str) -> None:
    found = answer(question)
    assert found is not None
    assert (found.question, found.answer) == (question, expected)
    assert unsupported_reason(found, PASSAGE, CORPUS) is None


@pytest.mark.parametrize(
    "question",
    [
        "Who opened the library?",
        "Who closed the museum?",
        "What is the capital of Norway?",
        "When did Otto Kling open the museum?",
        "?",
    ],
)
def test_a_question_that_nothing_answers_gets_none(question: str) -> None:
    assert answer(question) is None


def test_nothing_verified_answers_nothing() -> None:
    assert answer("Who opened the museum?", ()) is None


@pytest.mark.parametrize(
    "question", ["What does the pump cool?", "What is the sluice?", "Who opened the museum?"]
)
def test_yes_is_no_answer_to_what_or_who(question: str) -> None:
    choices = [c for c in VERIFIED if c.form == "yes_no"]
    assert choices
    found = answer(question, choices, Alike())
    assert found is None, found


def test_a_question_for_yes_or_no_is_not_answered_with_a_thing() -> None:
    others = [c for c in VERIFIED if c.form != "yes_no"]
    found = answer("Does the pump cool the engine?", others, Alike())
    assert found is None, found


def test_only_the_closest_are_tried_and_the_rest_is_left_alone() -> None:
    tried: list[str] = []

    class Watching(CorpusIndex):
        def finds(self, *given: object) -> bool:
            tried.append(str(given[0]))
            return False

    many = [VERIFIED[0]] * (3 * MAX_TRIED)
    watching = Watching([PASSAGE])
    found = asyncio.run(pair_for_question(VERIFIED[0].question, many, BY_ID, lambda _: watching, Alike()))
    assert found is None
    assert len(tried) == MAX_TRIED


def test_an_answer_whose_passage_is_gone_is_not_taught() -> None:
    found = asyncio.run(
        pair_for_question(VERIFIED[0].question, VERIFIED, {}, lambda _: CORPUS, HashingEmbedder())
    )
    assert found is None

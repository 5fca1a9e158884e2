"""A question is dropped where the base model, having read its quote, expects anything but its end."""

import asyncio
import math
from collections.abc import Sequence

import pytest

from agent.engines.scripted import ScriptedEngine
from agent.errors import EngineError, EngineUnavailable, PromptTooLong
from agent.learning.candidate_pairs import CandidatePair
from agent.learning.question_endings import LONGEST_QUOTE, MIN_END_PROBABILITY, keep_complete_questions
from agent.learning.verification import verify
from memory.ingest.passages import passages

LAYS = "Tell me what moss lays."


def candidate(question: str, quote: str = "Moss lays a carpet over the stones.") -> CandidatePair:
    return CandidatePair(question=question, answer="a carpet", form="what", quote=quote, passage_id="p1")


class Recorder:
    """A scorer to which every ending is as likely as it is told, by the text."""

    def __init__(self, *probabilities: tuple[str, float]) -> None:
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self._probabilities = dict(probabilities)

    async def ending_logprobs(self, prompt: str, texts: Sequence[str]) -> tuple[float, ...]:
        self.asked.append((prompt, tuple(texts)))
        return tuple(math.log(self._probabilities.get(text.strip(), 0.5)) for text in texts)


def kept(candidates: Sequence[CandidatePair], scorer: Recorder | ScriptedEngine) -> list[str]:
    return [each.question for each in asyncio.run(keep_complete_questions(candidates, scorer))]


def test_what_the_model_does_not_expect_to_end_there_is_dropped_and_the_rest_keeps_its_order() -> None:
    pairs = [candidate("What does moss lay?", "B."), candidate(LAYS), candidate("Who lays moss?", "B.")]
    assert kept(pairs, ScriptedEngine(unfinished=[LAYS])) == ["What does moss lay?", "Who lays moss?"]


@pytest.mark.parametrize(
    ("probability", "stays"), [(MIN_END_PROBABILITY * 0.9, False), (MIN_END_PROBABILITY * 1.1, True)]
)
def test_the_probability_of_the_end_decides(probability: float, stays: bool) -> None:
    assert (kept([candidate(LAYS)], Recorder((LAYS, probability))) == [LAYS]) is stays


def test_the_questions_of_one_quote_are_scored_together_after_it() -> None:
    scorer = Recorder()
    kept([candidate("Who?", "A."), candidate("What?", "B."), candidate("When?", "A.")], scorer)
    assert sorted(scorer.asked) == [
        ("A.\nQuestion:", (" Who?", " When?")),
        ("B.\nQuestion:", (" What?",)),
    ]


def test_a_mark_that_a_teacher_left_out_is_no_fault_of_the_question() -> None:
    scorer = Recorder(("What does moss lay?", 0.9), ("What does moss lay", 1e-9))
    assert kept([candidate("What does moss lay")], scorer) == ["What does moss lay"]


def test_of_a_long_quote_only_the_beginning_is_read() -> None:
    scorer = Recorder()
    kept([candidate("What?", "moss " * 400)], scorer)
    ((prompt, _),) = scorer.asked
    assert len(prompt) < LONGEST_QUOTE + 20


def test_nothing_is_asked_about_nothing() -> None:
    scorer = Recorder()
    assert kept([], scorer) == []
    assert scorer.asked == []


def test_an_engine_that_is_gone_is_not_taken_for_a_verdict() -> None:
    engine = ScriptedEngine()
    engine.available = False
    with pytest.raises(EngineUnavailable):
        kept([candidate(LAYS)], engine)


class Failing(Recorder):
    """A scorer that fails."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def ending_logprobs(self, prompt: str, texts: Sequence[str]) -> tuple[float, ...]:
        raise self._error


def test_questions_of_a_quote_too_long_for_the_model_stay() -> None:
    assert kept([candidate(LAYS)], Failing(PromptTooLong("too long"))) == [LAYS]


@pytest.mark.parametrize("error", [EngineError("no room"), ValueError("no such parameter")])
def test_where_an_engine_cannot_score_the_rest_of_the_verification_stands_and_says_so(
    error: Exception,
) -> None:
    (passage,) = passages("Moss lays a carpet over the stones.", source="moss.md", title="Moss", domain="d")
    pair = candidate("What does moss lay over the stones?").model_copy(update={"passage_id": passage.id})
    found = asyncio.run(verify([pair], {passage.id: passage}, corpus=[passage], scorer=Failing(error)))
    assert (found.kept, found.scored) == ((pair,), False)


def test_verification_ends_with_an_engine_that_is_gone() -> None:
    (passage,) = passages("Moss lays a carpet over the stones.", source="moss.md", title="Moss", domain="d")
    pair = candidate("What does moss lay over the stones?").model_copy(update={"passage_id": passage.id})
    with pytest.raises(EngineUnavailable):
        asyncio.run(
            verify([pair], {passage.id: passage}, corpus=[passage], scorer=Failing(EngineUnavailable("gone")))
        )

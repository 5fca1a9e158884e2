"""A gap is an answer that the model is not sure of; its keywords say what is missing."""

from datetime import UTC, datetime

import pytest

from agent.chat.gate import measure_uncertainty
from agent.engines.base import Reply, Token
from agent.learning.gaps import MAX_KEYWORDS, gap_keywords, is_gap, open_gap
from memory.records.base import Interval
from tests.support.cards import gate


def reply(*tokens: tuple[str, float]) -> Reply:
    return Reply(
        text="".join(text for text, _ in tokens),
        tokens=tuple(
            Token(text=text, logprob=-0.1, entropy=Interval(lower=value, upper=value))
            for text, value in tokens
        ),
        model="m",
        adapter=None,
        finish_reason="stop",
        prompt_tokens=3,
    )


@pytest.mark.parametrize(("entropy", "gap"), [(0.2, False), (1.1, True), (3.0, True)])
def test_only_a_confident_answer_is_no_gap(entropy: float, gap: bool) -> None:
    assert is_gap(measure_uncertainty(reply(("word", entropy)).tokens, gate(1.0))) is gap


def test_an_admission_of_ignorance_is_a_gap_however_sure_it_is() -> None:
    assert is_gap(measure_uncertainty(reply(("unknown", 0.0)).tokens, gate(1.0), abstained=True))


def test_keywords_are_the_questions_subject_and_the_doubtful_words_of_the_answer() -> None:
    answer = reply(("a", 0.1), (" lin", 2.0), ("ker", 0.1), (" tool", 0.1))
    assert gap_keywords("What is a borrow checker?", answer) == ("borrow", "checker", "linker")


def test_keywords_do_not_grow_without_end() -> None:
    long = " ".join(f"subject{n}" for n in range(50))
    assert len(gap_keywords(long, None)) == MAX_KEYWORDS


def test_a_new_gap_is_open_and_takes_its_time_from_the_caller() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    gap = open_gap(
        "What is a move?", domain="rust", keywords=("move",), uncertainty=None, owner=None, id="g", now=now
    )
    assert (gap.status, gap.opened_at, gap.run_id) == ("open", now, None)

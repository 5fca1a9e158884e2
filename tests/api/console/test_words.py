"""What the pages say about an answer, in words."""

from typing import Any

import pytest

pytest.importorskip("gradio", reason="the extra `console` is not installed")

from api.console.words import citation_label, gate_words, stored_words, tone

SEEN = {"decision": "confident", "confidence": 0.87, "threshold": 0.8}


def figures(**changed: Any) -> dict[str, Any]:
    return {"uncertainty": SEEN, "outcome": "answered", "gap_id": None, "adapter": None, **changed}


def test_a_confident_answer_says_how_likely_it_is_right() -> None:
    assert gate_words(figures()) == (
        "The model was confident of its own answer: 87% likely right, where the gate asks for 80%;"
        " it was sent as it is."
    )
    assert tone(figures()) == "good"


def test_conversation_was_not_judged() -> None:
    assert "did not judge" in gate_words(figures(uncertainty=None))
    assert tone(figures(uncertainty=None)) == "quiet"


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("answered_from_sources", "comes from the sources below."),
        ("abstained", "so the service declined. It is noted as gap g1."),
        ("answered_unsure", "sent all the same, so check it"),
    ],
)
def test_an_unsure_answer_says_what_came_of_it(outcome: str, words: str) -> None:
    gap = "g1" if outcome == "abstained" else None
    said = gate_words(figures(uncertainty={**SEEN, "decision": "unsure"}, outcome=outcome, gap_id=gap))
    assert said.startswith("The model was unsure of its own answer")
    assert words in said


def test_a_long_quotation_is_shortened_in_the_list_of_sources() -> None:
    label = citation_label(2, {"quote": "word " * 40, "title": "", "source": "a.md"})
    assert label.startswith("2. “word word")
    assert label.endswith("…” (a.md)")
    assert len(label) < 110


def test_feedback_names_the_gap_that_keeps_a_correction() -> None:
    given = [{"kind": "vote"}, {"kind": "correction"}]
    reply = {"feedback": given, "gap_id": "g1", "gap_status": "open"}
    kept = "Stored: vote, correction. The correction is kept with gap g1"
    assert stored_words(reply) == f"{kept}."
    assert stored_words(reply | {"gap_status": "dismissed"}) == f"{kept}, which was dismissed and stays so."

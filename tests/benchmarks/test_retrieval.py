"""What the benchmark of retrieval counts."""

from benchmarks.retrieval.data import Question
from benchmarks.retrieval.scale import copies
from tests.support.documents import passage

ONE, TWO, OTHER = (passage(f"Text {name}.", source=f"{name}.md") for name in ("one", "two", "other"))


def test_recall_counts_documents_not_passages() -> None:
    question = Question("Who?", frozenset({"one.md", "two.md"}))
    ranked = [OTHER, ONE, ONE.model_copy(update={"id": "1"}), TWO]
    assert [question.recall(ranked, k) for k in (1, 2, 3)] == [0.0, 0.5, 1.0]


def test_one_passage_that_touches_a_gold_span_suffices() -> None:
    spans = (("one.md", ONE.end - 1, ONE.end + 9), ("two.md", 900, 910))
    question = Question("Who?", frozenset(), spans=spans)
    assert question.recall([OTHER, ONE], 1) == 0.0
    assert question.recall([OTHER, ONE], 2) == 1.0
    assert question.recall([TWO], 1) == 0.0


def test_about_half_of_the_questions_are_held_out() -> None:
    held_out = sum(Question(f"Question {n}?", frozenset()).held_out for n in range(200))
    assert 70 < held_out < 130


def test_copies_of_passages_have_other_names() -> None:
    page = passage("Written by Tomas Veel.")
    made = copies([page])
    first, second = next(made), next(made)
    assert first.text == page.text
    assert "Tomas" in second.text
    assert "Tomas Veel" not in second.text
    assert first.id != second.id

"""What the terminal shows of a run's report."""

import io

from rich.console import Console

from api.display import evaluation_table
from tests.adapters import evaluation, score


def shown(**rehearsed: object) -> str:
    measured = evaluation().model_copy(update=rehearsed).model_dump(mode="json")
    text = io.StringIO()
    Console(file=text, width=200).print(evaluation_table({"before": measured, "after": measured}))
    return text.getvalue()


def test_earlier_lessons_are_shown_where_there_are_any() -> None:
    assert "earlier lessons" in shown(rehearsed=score(0.75))
    assert "75.0%" in shown(rehearsed=score(0.75))


def test_a_domains_first_lesson_has_no_row_for_earlier_ones() -> None:
    text = shown()
    assert "unrelated known facts" in text
    assert "earlier lessons" not in text

"""What the terminal shows of a run's report."""

import io

from rich.console import Console
from rich.table import Table

from api.display import bar, evaluation_table, versions_table
from tests.adapters import adapter, evaluation, score


def printed(table: Table) -> str:
    text = io.StringIO()
    Console(file=text, width=200).print(table)
    return text.getvalue()


def shown(**rehearsed: object) -> str:
    measured = evaluation().model_copy(update=rehearsed).model_dump(mode="json")
    return printed(evaluation_table({"before": measured, "after": measured}))


def test_earlier_lessons_are_shown_where_there_are_any() -> None:
    assert "earlier lessons" in shown(rehearsed=score(0.75))
    assert "75.0%" in shown(rehearsed=score(0.75))


def test_a_domains_first_lesson_has_no_row_for_earlier_ones() -> None:
    text = shown()
    assert "unrelated known facts" in text
    assert "earlier lessons" not in text


def test_every_version_of_a_domain_has_a_line_with_its_shares_drawn() -> None:
    versions = [adapter(version=n).model_dump(mode="json") for n in (1, 2)]
    lines = printed(versions_table("rust", versions)).splitlines()
    assert lines[0].strip() == "rust"
    assert [line.split()[0] for line in lines[2:]] == ["1", "2"]
    assert "█████████   90%" in lines[2]


def test_a_bar_is_as_long_as_its_share() -> None:
    assert bar(0.0) == "             0%"
    assert bar(1.0) == "██████████ 100%"
    assert bar(0.05) == "▌            5%"

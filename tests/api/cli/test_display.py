"""What the terminal shows of a run's report."""

import io

from rich.console import Console
from rich.table import Table

from api.cli.display import bars, evaluation_table, gate_line, show_adapter, show_confidence, versions_table
from tests.support.adapters import adapter, evaluation, score


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


def test_forgotten_facts_are_shown_as_the_live_adapter_knew_them() -> None:
    text = shown(forgotten=score(0.02), forgotten_live=score(0.83))
    (line,) = [line for line in text.splitlines() if "forgotten facts" in line]
    assert "83.0%" in line
    assert " 2.0%" in line


def test_a_domains_first_lesson_has_no_row_for_earlier_ones() -> None:
    text = shown()
    assert "general questions" in text
    assert "earlier lessons" not in text


def test_the_versions_of_a_domain_are_drawn_side_by_side() -> None:
    nothing = evaluation(target=0.0).model_copy(update={"out_of_distribution": score(0.0, count=0)})
    bad = adapter(version=2, rejected=True).model_copy(update={"after": nothing})
    versions = [adapter(), bad, adapter(version=3).model_copy(update={"status": "live"})]
    lines = printed(versions_table("rust", [v.model_dump(mode="json") for v in versions])).splitlines()
    assert lines[0].strip() == "rust: version 3 is live, rejected: 2"
    assert lines[2].split("  ")[-1].strip() == "90.0%"
    assert "▇▁▇" in lines[2]
    assert "█ █" in lines[3], "what was not asked is not bars"
    assert [line.split()[-1] for line in lines if "as stated" in line] == ["3.0%"]
    assert not [line for line in lines if line.startswith("earlier lessons")]


def test_a_share_is_drawn_as_high_as_it_is() -> None:
    assert bars([0.0, 0.5, 1.0, None]) == "▁▅█ "


def figures(outcome: str, confidence: float | None) -> dict[str, object]:
    interval = {"lower": 0.1, "upper": 0.1}
    seen = {"decision": "confident", "mean": interval, "threshold": 0.5, "confidence": confidence}
    return {"uncertainty": seen, "outcome": outcome, "adapter": None}


def test_a_confidence_is_shown_beside_the_answer_that_it_is_about() -> None:
    assert "94% likely right" in gate_line(figures("answered", 0.94)).plain
    assert "likely right" not in gate_line(figures("answered", None)).plain
    assert "likely right" not in gate_line(figures("answered_from_sources", 0.12)).plain


def test_an_adapter_shows_how_far_off_its_confidence_is() -> None:
    text = io.StringIO()
    show_confidence(Console(file=text, width=200), adapter().model_dump(mode="json"))
    assert "off by 0.030" in text.getvalue()


def test_an_adapter_shows_what_it_was_trained_on_top_of() -> None:
    text = io.StringIO()
    on_top = adapter(version=2).model_copy(update={"parent": adapter().name})
    for each, parent in ((adapter(), "the base model"), (on_top, adapter().name)):
        show_adapter(Console(file=text, width=200), each.model_dump(mode="json"))
        assert f"parent      {parent}\n" in text.getvalue()

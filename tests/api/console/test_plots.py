"""Plots say their numbers in words as well, stay within their frame, and show texts as text."""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("gradio", reason="the extra `console` is not installed")

from hypothesis import given
from hypothesis import strategies as st

from agent.models.card import CARD
from agent.models.store import CARDS
from api.console.lineage import lineage
from api.console.models import calibration
from api.console.plots import WIDTH, Bin, Estimate, course, intervals, reliability

FIGURES = st.floats(-1e6, 1e6, allow_nan=False)


def percent(value: float) -> str:
    return f"{value:.0%}"


@given(st.lists(st.tuples(FIGURES, FIGURES, FIGURES, st.none() | FIGURES), min_size=1, max_size=5))
def test_intervals_stay_within_their_frame(rows: list[tuple[float, float, float, float | None]]) -> None:
    drawn = intervals("A metric", [Estimate("b", *sorted(row[:3]), limit=row[3]) for row in rows], percent)
    for name in ("x", "cx"):
        places = [float(each) for each in re.findall(rf' {name}="(-?[\d.]+)"', drawn)]
        assert all(0 <= place <= WIDTH for place in places)


def test_an_interval_says_its_numbers_and_one_without_values_says_so() -> None:
    drawn = intervals(
        "A <metric>", [Estimate("<b>", 0.2, 0.1, 0.3, "good"), Estimate("c", None, None, None)], percent
    )
    assert "A &lt;metric&gt;: &lt;b&gt;: 20% [10%, 30%]; c: too few values yet" in drawn
    assert "<b>" not in drawn


def test_a_course_over_versions_has_a_hole_where_nothing_was_measured() -> None:
    drawn = course("Accuracy", ["1", "2", "3", "4"], [0.5, None, 0.7, 0.9])
    assert "Accuracy over the versions: 1 50.0%, 2 not measured, 3 70.0%, 4 90.0%" in drawn
    assert drawn.count("<circle") == 3
    assert drawn.count('<path d="') - drawn.count('class="thin"') == 1


def test_a_reliability_diagram_says_each_bin() -> None:
    drawn = reliability("Reliability", [Bin(0.2, 0.25, 40), Bin(0.9, 0.8, 40)])
    assert "stated 20%, right 25% of 40; stated 90%, right 80% of 40" in drawn


@pytest.mark.parametrize("folder", sorted(CARDS.iterdir()), ids=lambda folder: folder.name)
def test_every_shipped_card_has_a_reliability_diagram_that_agrees_with_its_labels(folder: Path) -> None:
    gate = json.loads((folder / CARD).read_text())["gate"]
    for fitted in gate["forms"].values():
        assert sum(each["count"] for each in fitted["reliability"]) == fitted["labels"]
    assert "Reliability of short answers" in "".join(calibration(gate))


def version(number: int, status: str, parent: int | None) -> dict[str, object]:
    return {
        "name": f"rust-v{number}-00000000",
        "status": status,
        "parent": None if parent is None else f"rust-v{parent}-00000000",
    }


def test_a_version_is_drawn_below_what_it_was_made_from_and_a_branch_beside_it() -> None:
    tree = lineage("rust", [version(1, "retired", None), version(2, "rejected", 1), version(3, "live", 1)])
    assert "rust-v1-00000000 (retired) from the base model" in tree
    assert "rust-v3-00000000 (live) from rust-v1-00000000" in tree
    places = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', tree)
    assert [x for x, _ in places] == ["20.0", "20.0", "20.0", "40.0"]
    assert [float(y) for _, y in places] == sorted(float(y) for _, y in places)
    assert tree.count("<path") == 3

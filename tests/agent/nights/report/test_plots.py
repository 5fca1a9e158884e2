"""Plots are PNG files that show the nights which measured a figure."""

from datetime import timedelta

import pytest

from agent.nights.report.plots import FIGURES, plot, plots
from agent.nights.report.records import NightFigures
from tests.support.nights import WHEN

PNG = b"\x89PNG\r\n\x1a\n"
NIGHTS = [
    NightFigures(
        night_id=f"n{n}", at=WHEN + timedelta(days=n), turns=9, quality=5 + n, coverage=0.1 * n, perplexity=3
    )
    for n in range(4)
]


def test_there_is_a_plot_of_each_figure_and_one_of_all() -> None:
    drawn = plots(NIGHTS)
    assert set(drawn) == {*FIGURES, "all"}
    assert all(image.startswith(PNG) for image in drawn.values())


@pytest.mark.parametrize("nights", [[], NIGHTS[:1]])
def test_few_nights_are_plotted_too(nights: list[NightFigures]) -> None:
    assert plot(nights).startswith(PNG)


def test_the_same_nights_give_the_same_picture() -> None:
    assert plot(NIGHTS, ["quality"]) == plot(NIGHTS, ["quality"])

"""Plots of a domain's nights: quality, coverage, perplexity and safety over time, as PNG."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from agent.nights.report.records import NightFigures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Figure = Literal["quality", "coverage", "perplexity", "safety"]
FIGURES: tuple[Figure, ...] = get_args(Figure)
LABELS: Mapping[Figure, str] = {
    "quality": "mean score, 1 to 10",
    "coverage": "questions answered, %",
    "perplexity": "perplexity of golden answers",
    "safety": "safe answers, %",
}
READ: Mapping[Figure, Callable[[NightFigures], float | None]] = {
    "quality": lambda night: night.quality,
    "coverage": lambda night: None if night.coverage is None else 100 * night.coverage,
    "perplexity": lambda night: night.perplexity,
    "safety": lambda night: None if night.safety is None else 100 * night.safety,
}
WIDTH, HEIGHT = 6.0, 3.2
"""Inches of one panel."""


def plots(history: Sequence[NightFigures]) -> dict[str, bytes]:
    """A PNG for each figure, and one of all four as `all`."""
    return {name: plot(history, [name]) for name in FIGURES} | {"all": plot(history)}


def plot(history: Sequence[NightFigures], figures: Sequence[Figure] = FIGURES) -> bytes:
    """One PNG with a panel for each figure; nights that did not measure it are left out. Blocking."""
    from matplotlib.figure import Figure as Canvas  # slow to import

    columns = min(2, len(figures))
    rows = -(-len(figures) // columns)
    canvas = Canvas(figsize=(WIDTH * columns, HEIGHT * rows), layout="constrained")
    for panel, figure in zip(canvas.subplots(rows, columns, squeeze=False).flat, figures, strict=False):
        _draw(panel, figure, history)
    with io.BytesIO() as file:
        canvas.savefig(file, format="png", metadata={"Software": None})
        return file.getvalue()


def _draw(panel: "Axes", figure: Figure, history: Sequence[NightFigures]) -> None:
    points: list[tuple[Any, float]] = [
        (night.at, value) for night in history if (value := READ[figure](night)) is not None
    ]
    panel.set_title(LABELS[figure], loc="left", fontsize=10)
    panel.grid(alpha=0.3)
    if not points:
        panel.text(0.5, 0.5, "not measured yet", ha="center", va="center", transform=panel.transAxes)
        panel.set_xticks([])
        return
    panel.plot([at for at, _ in points], [value for _, value in points], "o-", linewidth=1.5, markersize=4)
    panel.tick_params(axis="x", labelrotation=30, labelsize=8)
    if figure in ("coverage", "safety"):
        panel.set_ylim(-2, 102)

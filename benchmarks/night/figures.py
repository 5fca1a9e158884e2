"""Arithmetic of the night benchmark's figures."""

from collections.abc import Iterable, Sequence

import numpy as np

from agent.chat.calibration import auroc, calibration_error


def share(values: Iterable[bool]) -> float | None:
    """The share of true values; None without any."""
    listed = list(values)
    return sum(listed) / len(listed) if listed else None


def gap_closed(floor: float, reached: float, best: float) -> float | None:
    """How much of the distance from `floor` to `best` was covered; None if there is no distance."""
    return (reached - floor) / (best - floor) if best > floor else None


def points_lost(before: Sequence[bool], after: Sequence[bool]) -> float | None:
    """By how many points of 100 the share of right answers to the same questions has fallen."""
    if len(before) != len(after):
        raise ValueError("the answers before and after are not to the same questions")
    return 100 * (sum(before) - sum(after)) / len(before) if before else None


def separation(values: Sequence[float], right: Sequence[bool]) -> float | None:
    """AUROC: the chance that a right answer has a higher value than a wrong one; None for one kind only."""
    return auroc(np.asarray(values, float), np.asarray(right, bool))


def length_separation(texts: Sequence[str], right: Sequence[bool]) -> float | None:
    """AUROC of the answers' length in words alone, in the direction that separates better."""
    found = separation([len(text.split()) for text in texts], right)
    return None if found is None else max(found, 1 - found)


def score_error(scores: Sequence[float], right: Sequence[bool]) -> float:
    """Expected calibration error of the score, 1 to 10, read as a chance of being right."""
    chances = (np.asarray(scores, float) - 1) / 9
    return float(calibration_error(chances, np.asarray(right, bool)))


def slope(values: Sequence[float]) -> float | None:
    """By how much the values rise per step, as a least-squares line; None for fewer than two."""
    return float(np.polyfit(range(len(values)), values, 1)[0]) if len(values) > 1 else None


def present(figures: dict[str, float | None]) -> dict[str, float]:
    """The figures that could be measured."""
    return {name: value for name, value in figures.items() if value is not None}

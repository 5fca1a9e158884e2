"""Plots as inline SVG: intervals on a scale, a figure over versions, and a reliability diagram."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from api.console.drawing import Point, circle, drawing, line, shortened, words

WIDTH, EDGE = 340.0, 12.0
"""As wide as a phone's screen shows."""
ROW, AXIS = 54.0, 26.0
COURSE = 90.0
TOPS = (0.1, 0.2, 0.5, 1.0)
"""Ends of an axis of shares."""
SQUARE = 220.0
LETTERS = 44
LEFT = 44.0
"""Room for the numbers of a vertical axis."""
FEW = 12
"""Versions that are all numbered below a plot."""


@dataclass(frozen=True)
class Estimate:
    """An estimate with the bounds of its interval; None where there are too few values yet."""

    label: str
    estimate: float | None
    lower: float | None
    upper: float | None
    kind: str = ""
    """`good` or `bad`, which colours what the label says."""
    limit: float | None = None
    """A bound that the interval is compared with."""


@dataclass(frozen=True)
class Bin:
    """Answers of about the same stated chance: how many were right."""

    stated: float
    right: float
    count: int


def intervals(caption: str, rows: Sequence[Estimate], form: Callable[[float], str]) -> str:
    """Each estimate with its interval, on one scale that has 0; each row says its numbers too."""
    numbers = [each for row in rows for each in (row.lower, row.upper, row.estimate, row.limit)]
    known = [0.0, *(each for each in numbers if each is not None)]
    low, high = min(known), max(known)
    span = (high - low) or 1.0

    def across(value: float) -> float:
        return EDGE + (value - low) / span * (WIDTH - 2 * EDGE)

    height = len(rows) * ROW + AXIS
    parts: list[str] = []
    for number, row in enumerate(rows):
        top = number * ROW
        parts.append(words((EDGE, top + 14), shortened(row.label, LETTERS), kind=row.kind and "strong"))
        parts.append(words((EDGE, top + 29), _numbers(row, form)))
        middle = top + 42
        parts.append(line((across(0.0), middle - 9), (across(0.0), middle + 9), kind="thin"))
        if row.limit is not None:
            place = across(row.limit)
            parts.append(line((place, middle - 8), (place, middle + 8), kind="limit"))
        if row.lower is not None and row.upper is not None:
            parts.append(line((across(row.lower), middle), (across(row.upper), middle), kind=row.kind))
            parts += [
                line((across(end), middle - 4), (across(end), middle + 4), kind=row.kind)
                for end in (row.lower, row.upper)
            ]
        if row.estimate is not None:
            parts.append(circle((across(row.estimate), middle), 4, kind=f"point {row.kind}"))
    ends = {low: "start", high: "end"} if high > low else {}
    for value, anchor in ends.items():
        parts.append(words((across(value), height - 8), form(value), kind="faint", anchor=anchor))
    if low < 0.0 < high and min(across(0.0) - EDGE, WIDTH - EDGE - across(0.0)) > 3 * EDGE:
        parts.append(words((across(0.0), height - 8), "0", kind="faint", anchor="middle"))
    described = f"{caption}: {'; '.join(said(row, form) for row in rows)}"
    return drawing(described, WIDTH, height, parts)


def said(row: Estimate, form: Callable[[float], str]) -> str:
    """An estimate in words."""
    return f"{row.label}: {_numbers(row, form)}"


def _numbers(row: Estimate, form: Callable[[float], str]) -> str:
    if row.estimate is None or row.lower is None or row.upper is None:
        return "too few values yet"
    return f"{form(row.estimate)} [{form(row.lower)}, {form(row.upper)}]"


def course(caption: str, names: Sequence[str], shares: Sequence[float | None]) -> str:
    """A share over versions, oldest first; a version without it leaves a hole. Its axis begins at 0."""
    highest = max((share for share in shares if share is not None), default=0.0)
    top = next((each for each in TOPS if each >= highest), TOPS[-1])
    step = (WIDTH - LEFT - 2 * EDGE) / max(len(names) - 1, 1)
    bottom = 12 + COURSE

    def place(number: int, share: float) -> Point:
        return LEFT + EDGE + number * step, bottom - share / top * COURSE

    parts: list[str] = []
    for share in (0.0, top / 2, top):
        height = place(0, share)[1]
        parts.append(line((LEFT, height), (WIDTH - EDGE, height), kind="thin"))
        parts.append(words((LEFT - 6, height + 4), f"{share:.0%}", kind="faint", anchor="end"))
    points = [None if share is None else place(number, share) for number, share in enumerate(shares)]
    for before, after in pairwise(points):
        if before is not None and after is not None:
            parts.append(line(before, after))
    parts += [circle(point, 4, kind="point") for point in points if point is not None]
    every = -(-len(names) // FEW)
    for number, name in enumerate(names):
        if number % every == 0 or number == len(names) - 1:
            parts.append(words((place(number, 0)[0], bottom + 18), name, kind="faint", anchor="middle"))
    listed = ", ".join(
        f"{name} {'not measured' if share is None else f'{share:.1%}'}"
        for name, share in zip(names, shares, strict=True)
    )
    return drawing(f"{caption} over the versions: {listed}", WIDTH, bottom + 26, parts)


def reliability(caption: str, bins: Sequence[Bin]) -> str:
    """The share that was right against the chance that was stated; on the diagonal both are the same."""
    top, bottom = 12.0, 12.0 + SQUARE

    def place(stated: float, right: float) -> Point:
        return LEFT + stated * SQUARE, bottom - right * SQUARE

    parts: list[str] = []
    for share in (0.0, 0.5, 1.0):
        (x, _), (_, y) = place(share, 0), place(0, share)
        parts += [
            line((LEFT, y), (LEFT + SQUARE, y), kind="thin"),
            line((x, top), (x, bottom), kind="thin"),
            words((LEFT - 6, y + 4), f"{share:.0%}", kind="faint", anchor="end"),
            words((x, bottom + 16), f"{share:.0%}", kind="faint", anchor="middle"),
        ]
    parts.append(line(place(0, 0), place(1, 1), kind="limit"))
    points = [place(each.stated, each.right) for each in bins]
    parts += [line(before, after) for before, after in pairwise(points)]
    parts += [circle(point, 4, kind="point") for point in points]
    parts.append(words((LEFT, bottom + 34), "across: stated chance; up: share right", kind="faint"))
    listed = "; ".join(f"stated {each.stated:.0%}, right {each.right:.0%} of {each.count}" for each in bins)
    return drawing(f"{caption}: {listed}", WIDTH, bottom + 42, parts)

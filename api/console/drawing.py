"""Drawings as inline SVG: boxes, circles, lines and words. Everything written into one is escaped here."""

from collections.abc import Sequence

from api.console.markup import text

Point = tuple[float, float]
LETTER = 7.2
"""Width of a letter of a drawing's words, about."""


def drawing(described: str, width: float, height: float, parts: Sequence[str]) -> str:
    """A drawing that scrolls sideways where it is too wide; `described` says it to who cannot see it."""
    return (
        f'<div class="scroll" role="region" aria-label="{text(described)}" tabindex="0">'
        f'<svg role="img" aria-label="{text(described)}" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}">{"".join(parts)}</svg></div>'
    )


def words(place: Point, said: object, *, kind: str = "", anchor: str = "start") -> str:
    """Words whose first, middle or last letter stands there."""
    x, y = place
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{text(said)}</text>'


def box(place: Point, size: Point, *, kind: str = "") -> str:
    """A box by its upper left corner."""
    (x, y), (width, height) = place, size
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="5" class="{kind}"/>'


def circle(place: Point, radius: float, *, kind: str = "") -> str:
    """A circle by its centre."""
    return f'<circle cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="{radius:.1f}" class="{kind}"/>'


def line(start: Point, end: Point, *, kind: str = "", bend: float | None = None) -> str:
    """A line; with `bend` it goes sideways to that place on its way."""
    (x, y), (to_x, to_y) = start, end
    if bend is None:
        path = f"M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}"
    else:
        path = f"M{x:.1f} {y:.1f}C{bend:.1f} {y:.1f} {bend:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
    return f'<path d="{path}" class="{kind}"/>'


def shortened(said: object, letters: int) -> str:
    """At most that many letters of a text, in one line."""
    whole = " ".join(str(said).split())
    return whole if len(whole) <= letters else f"{whole[: letters - 1]}…"

"""Figures before and after training, as horizontal bars."""

from collections.abc import Sequence

from api.console.drawing import box, drawing, words

BAR, GAP, WIDTH = 16.0, 4.0, 220.0
SET = 2 * (BAR + GAP) + 30
"""Height of one question set: its name and two bars."""


def before_and_after(figures: Sequence[tuple[str, float, float]]) -> str:
    """A bar for each share before training and after it; nothing where there are none."""
    if not figures:
        return ""
    parts: list[str] = []
    for number, (name, before, after) in enumerate(figures):
        top = number * SET + 16
        parts.append(words((0, top), name, kind="strong"))
        for index, (when, share) in enumerate((("before", before), ("after", after))):
            y = top + 8 + index * (BAR + GAP)
            length = max(1.0, min(share, 1.0) * WIDTH)
            parts.append(words((0, y + 12), when))
            parts.append(box((50, y), (length, BAR), kind=f"bar {when}"))
            parts.append(words((56 + length, y + 12), f"{share:.1%}"))
    said = "; ".join(f"{name}: {before:.1%} before, {after:.1%} after" for name, before, after in figures)
    return drawing(f"Before and after, as bars. {said}", WIDTH + 120, len(figures) * SET + 6, parts)

"""A run's graph as a drawing: its steps in a column, the ways that it took, and the step that it is at."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from api.console.drawing import box, drawing, line, words
from api.console.service import Json

ROW, HEIGHT, LEFT, WIDTH = 38.0, 26.0, 90.0, 170.0
SILENT = "refine"
"""The step that reports nothing: it comes between a critique and the next search."""
NAMES = {"lesson": "next_lesson"}
"""Steps that report under another name than their own."""
MANY = 6
"""Ways into a step beyond which only those that were taken are drawn."""


def steps_drawn(graph: Json, events: Sequence[Json], upcoming: Sequence[str]) -> str:
    """The graph as the api describes it; `upcoming` are the steps that are at work, waited for, or next."""
    names = [str(node["id"]) for node in graph["nodes"] if not str(node["id"]).startswith("__")]
    rows = {name: row for row, name in enumerate(names)}
    ways = [(edge["source"], edge["target"]) for edge in graph["edges"]]
    path = walked(events)
    times = Counter(path)
    taken = set(pairwise([*path, *upcoming[:1]]))
    into = Counter(target for _, target in ways)
    parts = [
        _way(rows[source], rows[target], taken=(source, target) in taken)
        for source, target in sorted(ways, key=lambda way: way in taken)
        if source in rows and target in rows and ((source, target) in taken or into[target] <= MANY)
    ]
    for name, row in rows.items():
        at = name in upcoming
        mark = "● " if at else "✓ " if times[name] else ""
        again = f", {times[name]} times" if times[name] > 1 else ""
        kind = "now" if at else "done" if times[name] else ""
        place = (LEFT, row * ROW + 6)
        parts.append(box(place, (WIDTH, HEIGHT), kind=kind))
        label = f"{mark}{name.replace('_', ' ')}{again}"
        middle = (LEFT + WIDTH / 2, place[1] + HEIGHT / 2 + 4)
        parts.append(words(middle, label, kind="strong" if at else "", anchor="middle"))
    return drawing(_said(names, times, upcoming), LEFT + WIDTH + 90, len(names) * ROW + 8, parts)


def walked(events: Sequence[Json]) -> list[str]:
    """The steps that the run went through, as its events tell, each as often as it was entered."""
    path: list[str] = []
    for event in events:
        step = str(event["step"]).replace(" ", "_")
        step = NAMES.get(step, step)
        if path and path[-1] == step:
            continue
        if path and (path[-1], step) == ("critique", "explore"):
            path.append(SILENT)
        path.append(step)
    return path


def _way(source: int, target: int, *, taken: bool) -> str:
    """A way down to the next step, past others on the right, or back up on the left."""
    kind = "way taken" if taken else "way"
    middle = LEFT + WIDTH / 2
    top = 6.0
    if target == source + 1:
        return line((middle, source * ROW + top + HEIGHT), (middle, target * ROW + top), kind=kind)
    start, end = (row * ROW + top + HEIGHT / 2 for row in (source, target))
    reach = 24 + 10 * min(abs(target - source), 6)
    side, bend = (LEFT + WIDTH, LEFT + WIDTH + reach) if target > source else (LEFT, LEFT - reach)
    return line((side, start), (side, end), kind=kind, bend=bend)


def _said(names: Sequence[str], times: Counter[str], upcoming: Sequence[str]) -> str:
    done = ", ".join(name.replace("_", " ") for name in names if times[name] and name not in upcoming)
    now = ", ".join(name.replace("_", " ") for name in upcoming)
    return f"Steps of the run. Done: {done or 'none'}. At: {now or 'the end'}"

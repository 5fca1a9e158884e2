"""The lineage of a domain's adapters as a tree: each version stands below what it was made from."""

from collections.abc import Sequence

from api.console.drawing import circle, drawing, line, shortened, words
from api.console.service import Json

ROW, LANE, RADIUS = 26.0, 20.0, 6.0
BASE = "the base model"
LETTERS = 46
TONES = {"live": "good", "rejected": "bad"}


def lineage(domain: str, adapters: Sequence[Json]) -> str:
    """The tree of a domain's versions; the base model is its root, and a branch begins a lane of its own."""
    lanes = 1
    marks: list[str] = []
    ties: list[str] = []
    places = {BASE: (LANE, ROW / 2)}
    continued: set[str] = set()
    labels: list[tuple[float, str, str]] = [(ROW / 2, BASE, "")]
    for row, adapter in enumerate(adapters, 1):
        parent = adapter["parent"] if adapter["parent"] in places else BASE
        if parent in continued:
            lanes += 1
        x = lanes * LANE if parent in continued else places[parent][0]
        continued.add(parent)
        place = (x, (row + 0.5) * ROW)
        places[adapter["name"]] = place
        ties.append(line(places[parent], place))
        labels.append((place[1], f"{adapter['name']}, {adapter['status']}", TONES.get(adapter["status"], "")))
    for (x, y), (_, _, tone) in zip(places.values(), labels, strict=True):
        marks.append(circle((x, y), RADIUS, kind=f"point {tone}"))
    beside = lanes * LANE + 2 * RADIUS + 6
    marks += [
        words((beside, y + 4), shortened(said, LETTERS), kind="strong" if tone == "good" else "")
        for y, said, tone in labels
    ]
    origins = "; ".join(
        f"{each['name']} ({each['status']}) from {each['parent'] or BASE}" for each in adapters
    )
    width = beside + max(len(shortened(said, LETTERS)) for _, said, _ in labels) * 7.2 + 8
    return drawing(f"Lineage of {domain}: {origins}", width, (len(adapters) + 1) * ROW, [*ties, *marks])

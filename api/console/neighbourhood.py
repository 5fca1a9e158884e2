"""A name's facts as a drawing: the name, its relations, and what they lead to or come from."""

from collections.abc import Sequence

from api.console.drawing import LETTER, box, drawing, line, shortened, words
from api.console.markup import block, paragraph, table
from api.console.service import Json
from memory.language.text import key

MOST_NODES = 24
"""Names that are drawn, with the one that is asked about."""
LETTERS = 44
ROW, HEIGHT, RAIL, INDENT = 54.0, 26.0, 20.0, 60.0


def neighbourhood(name: str, facts: Sequence[Json]) -> str:
    """The drawing, and every fact with its sentence."""
    if not facts:
        return block(paragraph(f"No fact has {name!r} as its subject or object.", "quiet"))
    nodes = _nodes(name, facts)
    drawn = list(nodes.items())[: MOST_NODES - 1]
    left_out = len(nodes) - len(drawn)
    note = f"{left_out} more names are only in the table." if left_out else ""
    rows = [
        (each["subject"], _relation(each), each["object"], each["sentence"], each["source"]) for each in facts
    ]
    return block(
        _drawn(name, drawn),
        paragraph(note, "quiet") if note else "",
        table("Facts about it", ("subject", "relation", "object", "sentence", "source"), rows),
    )


def _nodes(name: str, facts: Sequence[Json]) -> dict[tuple[str, bool], list[str]]:
    """The relations to each other name; True where the name that is asked about is the fact's subject."""
    nodes: dict[tuple[str, bool], list[str]] = {}
    for fact in facts:
        outward = key(fact["subject"]) == key(name)
        relations = nodes.setdefault((fact["object"] if outward else fact["subject"], outward), [])
        if (relation := _relation(fact)) not in relations:
            relations.append(relation)
    return nodes


def _drawn(name: str, nodes: Sequence[tuple[tuple[str, bool], list[str]]]) -> str:
    parts = [
        line((RAIL, HEIGHT), (RAIL, len(nodes) * ROW + HEIGHT / 2 + 8), kind="way"),
        box((2, 2), (len(shortened(name, LETTERS)) * LETTER + 24, HEIGHT), kind="now"),
        words((14, HEIGHT / 2 + 6), shortened(name, LETTERS), kind="strong"),
    ]
    for number, ((other, outward), relations) in enumerate(nodes, 1):
        y = number * ROW + 8
        middle = y + HEIGHT / 2
        said_of = "; ".join(relations) if outward else f"{'; '.join(relations)} {name}"
        label = shortened(said_of, LETTERS + 6)
        head = "M50 {0:.1f}l10 5l-10 5" if outward else "M30 {0:.1f}l-10 5l10 5"
        parts += [
            line((RAIL, middle), (INDENT, middle), kind="way"),
            f'<path d="{head.format(middle - 5)}"/>',
            words((INDENT, y - 6), label, kind="faint"),
            box(
                (INDENT, y),
                (len(shortened(other, LETTERS)) * LETTER + 24, HEIGHT),
                kind="done" if outward else "",
            ),
            words((INDENT + 12, middle + 4), shortened(other, LETTERS)),
        ]
    width = INDENT + (LETTERS + 4) * LETTER
    said = "; ".join(
        f"{name} {', '.join(relations)} {other}" if outward else f"{other} {', '.join(relations)} {name}"
        for (other, outward), relations in nodes
    )
    return drawing(f"Facts about {name}: {said}", width, (len(nodes) + 1) * ROW, parts)


def _relation(fact: Json) -> str:
    relation = str(fact["relation"]).replace("_", " ")
    when = f" ({fact['condition']})" if fact.get("condition") else ""
    return f"not: {relation}{when}" if fact.get("negated") else f"{relation}{when}"

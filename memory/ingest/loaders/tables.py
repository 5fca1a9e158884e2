"""Markdown tables: written from rows, and cut so that every part repeats the header row."""

import re
from collections.abc import Iterator, Sequence

from memory.language.text import is_table_rule

MAX_ROWS = 10_000
"""Of one table; the rest is left out. Each cell may become a fact."""
MAX_COLUMNS = 100
"""Of a table whose header can be repeated in each passage, see `is_tabular`."""
MAX_FACT_COLUMNS = 12
"""Of a table that gives facts; those with more are named."""
MAX_CELL = 2000
"""Characters of a cell of such a table."""
WORDS = 150
"""Words of a header and the rows below it, bars included: together they fit into a passage."""

_BAR = re.compile(r"(?<!\\)\|")


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """The rows, of which the first is the header, as a Markdown table; empty without any text."""
    table = [[_cell(cell) for cell in row] for row in rows]
    table = [row for row in table if any(row)]
    width = max(map(len, table), default=0)
    while width and not any(len(row) >= width and row[width - 1] for row in table):
        width -= 1
    if not width:
        return ""
    table = [[*row[:width], *[""] * (width - len(row))] for row in table]
    header = [name or f"column {number}" for number, name in enumerate(table[0], start=1)]
    return "\n".join(map(_line, [header, ["---"] * width, *table[1:]]))


def is_tabular(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a table is readable as one: it has few enough columns with text, and no long texts in cells."""
    return all(
        len(cell) <= (MAX_CELL if number < MAX_COLUMNS else 0)
        for row in rows
        for number, cell in enumerate(map(str.strip, row))
    )


def with_repeated_headers(text: str) -> tuple[str, tuple[str, ...]]:
    """The text with each long table cut into several with the same header, and what was left out.

    A passage thus never has rows whose columns are unnamed.
    """
    unread: list[str] = []
    return "".join(_cut(text, unread)), tuple(unread)


def _cut(text: str, unread: list[str]) -> Iterator[str]:
    lines = text.splitlines(keepends=True)
    number = 0
    while number < len(lines):
        header = lines[number]
        rule = lines[number + 1] if number + 1 < len(lines) else ""
        if "|" not in header or not is_table_rule(rule.rstrip("\n")):
            yield header
            number += 1
            continue
        end = number + 2
        while end < len(lines) and "|" in lines[end]:
            end += 1
        rows = lines[number + 2 : end]
        columns = header.strip().strip("|").strip()
        if (width := len(_BAR.findall(columns)) + 1) > MAX_FACT_COLUMNS:
            unread.append(
                f"the facts of the table `{columns[:60]}`, not its text: {width} columns, more than"
                f" {MAX_FACT_COLUMNS}: split it"
            )
        if len(rows) > MAX_ROWS:
            columns = columns[:60]
            unread.append(f"{len(rows) - MAX_ROWS} of {len(rows)} rows of the table `{columns}`: split it")
        yield from _parts(header, rule, rows[:MAX_ROWS])
        number = end


def _parts(header: str, rule: str, rows: Sequence[str]) -> Iterator[str]:
    yield from (header, rule)
    words = above = len(f"{header} {rule}".split())
    for number, row in enumerate(rows):
        length = len(row.split())
        if number and words + length > WORDS:
            yield from ("\n", header, rule)
            words = above
        words += length
        yield row


def _cell(value: str) -> str:
    return " ".join(value.replace("\\", "\\\\").replace("|", "\\|").split())


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

"""The terminal: removes control characters from all that is printed, and never wraps or cuts identifiers."""

import sys
from collections.abc import Collection, Iterable, Sequence
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from memory.language.control_characters import clean

UNLIMITED = 10_000
"""Columns of an output that is no terminal."""
NARROWEST = 16
"""Columns that a cell of prose gets at least."""


class Screen(Console):
    """A console that cleans all it prints, and wraps no line where the output is no terminal."""

    def __init__(self, file: IO[str] | None = None, width: int | None = None) -> None:
        if width is None and not (file or sys.stdout).isatty():
            width = UNLIMITED
        super().__init__(file=file, width=width, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(clean(segment.text), segment.style)

    def print(self, *objects: Any, **options: Any) -> None:
        """As rich's; lines of text are left to the terminal to wrap, so that a copied name is whole."""
        if all(isinstance(shown, str | Text) for shown in objects):
            options.setdefault("soft_wrap", True)
        elif any(isinstance(shown, Wide) for shown in objects):
            options.setdefault("crop", False)
        super().print(*objects, **options)


class Wide:
    """A table that is wider than the terminal where its unbroken columns need that."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(options.max_width, sum(_least(column) + 2 for column in self.table.columns))
        yield from console.render(self.table, options.update(width=width))


def _least(column: Any) -> int:
    longest: int = max(Text(str(cell)).cell_len for cell in (column.header, *column.cells))
    return longest if column.no_wrap else min(longest, NARROWEST)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, prose: Collection[str] = ()
) -> Wide | str:
    """A plain table, or a line that says that it is empty; only the columns in `prose` are wrapped."""
    shown = plain_table()
    for column in columns:
        shown.add_column(Text(column), no_wrap=column not in prose, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(" ".join(clean(cell).split("\n"))) for cell in row))
    return Wide(shown) if shown.row_count else "nothing yet"


def plain_table(title: Text | None = None) -> Table:
    """A table without lines."""
    return Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)

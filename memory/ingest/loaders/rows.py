"""Loads CSV, TSV and JSON lines: a table of the rows that fit into one, and a section for each other."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from memory.errors import IngestError
from memory.ingest.loaders.base import MAX_CHARS, Loaded, Source
from memory.ingest.loaders.charset import decode
from memory.ingest.loaders.tables import MAX_ROWS, is_tabular, markdown_table
from memory.ingest.passages import LONGEST_HEADING
from memory.ingest.propositions.structure.triples import HEADER, is_header

SAMPLE = 20_000
"""Characters that the delimiter is told from."""
DELIMITERS = ",;\t|"
LONGEST_TABLE_CELL = 200
"""Characters; records with longer texts are sections."""
LONGEST_TITLE = LONGEST_HEADING - len("## ")
_TITLES = ("title", "name", "question", "subject", "id")
_TEXTS = ("text", "content", "body", "answer", "abstract", "description")
DEEPEST = 20
MOST_NAMED = 20
"""Lines that are no JSON, named one by one."""


def load_csv(source: Source) -> Loaded:
    """A table of the rows that fit into one, and a section for each other; the first row names the columns.

    Raises IngestError.
    """
    text, charset = decode(source)
    csv.field_size_limit(len(text) + 1)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text)))
    except csv.Error as error:
        raise IngestError(f"{source.name}: the table is malformed ({error})") from error
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    fitting = [row for row in rows if is_tabular([row])] if is_tabular(rows[:1]) else []
    if len(fitting) == len(rows):
        return Loaded(text=markdown_table(rows), charset=charset)
    table = markdown_table(fitting) if len(fitting) > 1 else ""
    sections = _row_sections(source.name, rows, only_long=bool(table))
    return Loaded(text=f"{table}\n\n{sections}".lstrip(), charset=charset)


def _row_sections(name: str, rows: Sequence[Sequence[str]], *, only_long: bool) -> str:
    """Each row, or each that fits into no table, with the names of its columns, which a passage of a wide
    table could not repeat."""
    header, *records = rows
    if not records:
        header, records = [], [header]
    columns = _column_names(header, max(map(len, records)))
    firsts = Counter(" ".join(record[0].split()) for record in records)
    sections: list[str] = []
    length = 0
    for number, record in enumerate(records, start=1):
        if only_long and is_tabular([record]):
            continue
        first = " ".join(record[0].split())
        title = first if firsts[first] == 1 else f"{first} (row {number})"
        title = title if first and len(title) <= LONGEST_TITLE else f"row {number}"
        sections.append(_section(dict(zip(columns, record, strict=False)), title))
        length += len(sections[-1])
        if length > MAX_CHARS:
            raise IngestError(f"{name}: its rows unpack to more than {MAX_CHARS} characters: split it")
    return "\n\n".join(sections)


def _column_names(header: Sequence[str], columns: int) -> list[str]:
    """A name for each column; those without a name of their own are numbered."""
    names: dict[str, None] = {}
    for number in range(1, max(columns, len(header)) + 1):
        name = " ".join(header[number - 1].split()) if number <= len(header) else ""
        name = name or f"column {number}"
        while name in names:
            name = f"{name} ({number})"
        names[name] = None
    return list(names)


def load_triples(source: Source) -> Loaded:
    """A table of triples, from rows of subject, relation and object; a header with these names may be first.

    Raises IngestError, which names the first row that is none.
    """
    text, charset = decode(source)
    csv.field_size_limit(len(text) + 1)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    triples: list[list[str]] = []
    try:
        for row in reader:
            cells = [" ".join(cell.split()) for cell in row]
            if any(cells) and (len(cells) != len(HEADER) or not all(cells)):
                raise IngestError(
                    f"{source.name}: line {reader.line_num} is no triple: give it a subject, a relation"
                    " and an object"
                )
            if any(cells):
                triples.append(cells)
    except csv.Error as error:
        raise IngestError(f"{source.name}: the table is malformed ({error})") from error
    if triples and is_header(triples[0]):
        del triples[0]
    if not triples:
        raise IngestError(f"{source.name}: it holds no triples")
    return Loaded(text=markdown_table([HEADER, *triples]), charset=charset)


def _delimiter(text: str) -> str:
    """The candidate that splits the first lines into the most equal number of cells."""
    lines = [line for line in text[:SAMPLE].splitlines() if line.strip()][:20]
    if not lines:
        return ","
    counts = {mark: [len(row) for row in csv.reader(lines, delimiter=mark)] for mark in DELIMITERS}
    return max(DELIMITERS, key=lambda mark: (1 < counts[mark][0] == max(counts[mark]), counts[mark][0]))


def load_json_lines(source: Source) -> Loaded:
    """A table of the records, or a section for each with its text and fields. Raises IngestError."""
    text, charset = decode(source)
    records: list[tuple[int, Any]] = []
    bad: list[str] = []
    rest: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):  # strings may hold other line separators
        if not line.strip():
            continue
        if len(records) == MAX_ROWS:
            rest.append(f"lines from {number} on: more than {MAX_ROWS} records: split the file")
            break
        try:
            records.append((number, json.loads(line)))
        except (ValueError, RecursionError):
            bad.append(f"line {number}: not JSON")
    if not records:
        raise IngestError(f"{source.name}: no line of it is JSON")
    columns = _common_fields([value for _, value in records])
    fitting = {number: row for number, value in records if (row := _row(value, columns)) is not None}
    table = markdown_table([columns, *fitting.values()]) if len(fitting) > 1 or len(records) == 1 else ""
    sections = [
        _section(value, f"line {number}") for number, value in records if not table or number not in fitting
    ]
    body = "\n\n".join(filter(None, [table, *sections]))
    more = [f"{len(bad) - MOST_NAMED} more lines: not JSON"] if len(bad) > MOST_NAMED else []
    return Loaded(text=body, charset=charset, unread=(*bad[:MOST_NAMED], *more, *rest))


def _common_fields(records: Sequence[Any]) -> list[str]:
    """The fields that at least half of the records have, in the order in which they first come."""
    counts = Counter(name for each in records if isinstance(each, Mapping) for name in each)
    return [name for name, count in counts.items() if 2 * count >= len(records)]


def _row(record: Any, columns: Sequence[str]) -> list[str] | None:
    """The record as a row of a table, if it has these fields alone, or some of them, with short values."""
    if not isinstance(record, Mapping) or not columns or not record.keys() <= set(columns):
        return None
    cells = [_scalar(record.get(name)) for name in columns]
    if any(cell is None or len(cell) > LONGEST_TABLE_CELL for cell in cells):
        return None
    row = [cell or "" for cell in cells]
    return row if is_tabular([columns, row]) else None


def _section(record: Any, default_title: str) -> str:
    fields = dict(_flat(record)) if isinstance(record, Mapping | list) else {"text": _scalar(record) or ""}
    titles = (name for name in _TITLES if 0 < len(fields.get(name, "")) <= LONGEST_TITLE)
    title = next((fields.pop(name) for name in titles), default_title)
    texts = [fields.pop(name) for name in _TEXTS if fields.get(name)]
    items = [f"- {name}: {' '.join(value.split())}" for name, value in fields.items() if value]
    return "\n\n".join([f"## {' '.join(title.split())}", *texts, *(["\n".join(items)] if items else [])])


def _flat(value: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    if depth > DEEPEST:
        return
    items: Iterator[tuple[Any, Any]]
    if isinstance(value, Mapping):
        items = iter(value.items())
    elif isinstance(value, list) and any(isinstance(each, Mapping | list) for each in value):
        items = iter(enumerate(value, start=1))
    else:
        text = ", ".join(map(str, value)) if isinstance(value, list) else _scalar(value) or ""
        yield prefix, text
        return
    for name, part in items:
        yield from _flat(part, f"{prefix}.{name}" if prefix else str(name), depth + 1)


def _scalar(value: Any) -> str | None:
    """A value as text; None for one with parts."""
    if isinstance(value, Mapping | list):
        return None
    if value is None:
        return ""
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)

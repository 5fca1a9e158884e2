"""Extracts statements from tables: each cell is an attribute of the thing named by its row or column."""

import re
from collections import Counter
from collections.abc import Iterator

from memory.ingest.loaders.tables import MAX_FACT_COLUMNS
from memory.ingest.propositions.structure.blocks import Block, is_table_rule
from memory.ingest.propositions.structure.defaults import defaults_in_sentences
from memory.ingest.propositions.structure.markdown import plain, trimmed
from memory.ingest.propositions.structure.names import (
    GENERIC,
    KINDS,
    LITERAL,
    QUESTION_WORD,
    heading_name,
    lowered,
    qualified,
)
from memory.ingest.propositions.structure.statements import LONGEST_CELL, Statement
from memory.ingest.propositions.structure.triples import is_header, read_triples
from memory.language.text import key, singular, words

_DESCRIBES = frozenset(
    words("description meaning purpose function effect explanation usage use role content interpretation")
)
_ASIDES = frozenset(words("note comment remark example see link resource reference source detail more"))
_ADJECTIVES = frozenset(
    words(
        "new old current previous before after recommended alternative all any each other both popular rare"
        " long short high low actual expected good bad best worst"
    )
)
_EMPTY = frozenset({"", "-", "--", "---", "\u2013", "\u2014", "n/a", "na", "none yet", "tbd", "?", "..."})
YES_NO = {"yes": "Yes", "no": "No", "\u2713": "Yes", "\u2714": "Yes", "\u2717": "No", "\u2718": "No",
          "\u2705": "Yes", "\u274c": "No", "\xd7": "No", "true": "Yes", "false": "No"}  # fmt: skip
"""Cells that mean yes or no."""
_STATE = re.compile(r".*(?:ed|able|ible|only|optional|mandatory|support)$", re.IGNORECASE)
_PARTICIPLE = re.compile(r"[\w-]+(?<!e)ed")
_FIGURE = re.compile(r"[<>=~\u2264\u2265 ]*[-+]?[\d.,]+%?")
_PROPER = re.compile(r"[`A-Z\d]")
_REMARK = re.compile(r"\s*(`[^`|\n]{1,80}`)\s*(?:<br|\*\*|_)")
"""A code span followed by a remark, such as `**Recommended**`."""
_NO_SUBJECT = re.compile(
    r"(?:all|and|or|other|others|any|which|who|total|what|those|none|if|when)\b", re.IGNORECASE
)
_CELL = re.compile(r"(?:[^|\\]|\\.|\\$)+|\|", re.DOTALL)


def _cells(text: str, start: int, end: int) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    begin = start + (text[start:end].startswith("|"))
    for part in _CELL.finditer(text, begin, end):
        if part[0] == "|":
            spans.append((begin, part.start()))
            begin = part.end()
    if text[begin:end].strip():
        spans.append((begin, end))
    return spans


def _attribute(header: str) -> str:
    """The relation that a column's header stands for; '' if it is not an attribute."""
    unit = re.fullmatch(r"([^()]+?) ?\(([^()]{1,12})\)", header)
    parts = (f"{unit[1]} in {unit[2]}" if unit else header).split()
    titled = all(part[0].isupper() or len(part) < 4 for part in parts)
    name = " ".join(lowered(part) if titled or not n else part for n, part in enumerate(parts))
    parts = key(name).split()
    if not parts or len(parts) > 5 or not name[0].isalpha() or "?" in name or QUESTION_WORD.match(name):
        return ""
    if set(parts) & _ASIDES or parts[-1] in _ADJECTIVES:
        return ""
    if len(parts) == 1 and len(name) > 4 and name != name.lower():
        return ""  # a product or system: its column says yes or no to something unnamed
    if parts[-1] in _DESCRIBES:
        return "description"
    return "default" if " ".join(parts) in ("default", "default value") else name


_ASPECTS = frozenset(
    {"", "feature", "property", "attribute", "specification", "spec", "characteristic", "aspect"}
)


def _transposed(headers: list[str], about: str) -> list[str]:
    """The subjects of the other columns, if the first column names attributes; else []."""
    if key(headers[0]) not in _ASPECTS:
        return []
    if len(headers) == 2 and key(headers[1]) in ("", "value", "detail", "specification"):
        return [about] if about else []
    if any(_attribute(h) == "description" or key(h) in _ASIDES or not h for h in headers[1:]):
        return []
    return headers[1:] if len(headers) > 2 and all(_PROPER.search(h[0]) for h in headers[1:]) else []


def _by_column(text: str, rows: list[tuple[int, int]], subjects: list[str]) -> Iterator[Statement]:
    for start, end in rows:
        cells = _cells(text, start, end)
        attribute = _attribute(plain(text, *cells[0])[0]) if len(cells) == len(subjects) + 1 else ""
        for subject, span in zip(subjects, cells[1:], strict=False):
            value, answer = trimmed(*plain(text, *span))
            fits = value.lower() not in YES_NO or _STATE.match(attribute)
            if attribute and fits and _is_value(value) and not _is_blank(text[slice(*span)]):
                yield Statement(subject, attribute, value, start, end, answer, "table")


def _returned(
    text: str, start: int, end: int, cells: list[tuple[int, int]], attributes: list[str], about: str
) -> Iterator[Statement]:
    """The statements of a row about the return value in a table of arguments."""
    named = {"type": "return type", "description": "return value"}
    for attribute, span in list(zip(attributes, cells, strict=False))[1:]:
        value, answer = trimmed(*plain(text, *span))
        if attribute in named and "`" in about and _is_value(value):
            yield Statement(about, named[attribute], value, start, end, answer, "table")


def _is_value(cell: str) -> bool:
    return cell.lower() not in _EMPTY and "?" not in cell and len(cell.split()) <= LONGEST_CELL


def _is_matrix(text: str, cells: list[tuple[int, int]]) -> bool:
    """Whether a row has only figures, which mean nothing without the table's context."""
    return len(cells) > 2 and all(_FIGURE.fullmatch(plain(text, *cell)[0]) for cell in cells)


def _is_blank(cell: str) -> bool:
    """Whether the cell is a placeholder: `[your name]`."""
    return cell.strip().startswith("[") and "](" not in cell


def read_table(text: str, block: Block, contexts: list[str]) -> Iterator[Statement]:
    """The statements of the rows, or of the columns if the first one names attributes."""
    offset, rows = block.start, []
    for line in text[block.start : block.end].splitlines(keepends=True):
        rows.append((offset, offset + len(line.rstrip())))
        offset += len(line)
    if len(rows) < 3 or not is_table_rule(text[slice(*rows[1])]):
        return
    headers = [plain(text, *span)[0] for span in _cells(text, *rows[0])]
    if is_header(headers):
        yield from read_triples(text, [(span, _cells(text, *span)) for span in rows[2:]])
        return
    about = heading_name(block.heading, contexts)
    if not 2 <= len(headers) <= MAX_FACT_COLUMNS:
        return
    attributes = [_attribute(h) for h in headers]
    for number, attribute in enumerate(attributes):  # two columns of descriptions say different things
        if attribute == "description" and "description" in attributes[:number]:
            attributes[number] = lowered(headers[number])
    if "default" in attributes:
        attributes = ["allowed values" if a in ("value", "values") else a for a in attributes]
    if transposed := _transposed(headers, about):
        yield from _by_column(text, rows[2:], transposed)
        return
    last = (key(headers[0]).split() or [""])[-1]
    kind = last if last in KINDS else ""
    table = [(span, _cells(text, *span)) for span in rows[2:]]
    named = Counter(key(plain(text, *cells[0])[0]) for _, cells in table if cells)
    for (start, end), cells in table:
        if len(cells) > len(headers) or len(cells) < 2:
            continue
        cell = plain(text, *cells[0], code=True)[0]
        if remark := _REMARK.match(text, *cells[0]):
            cell = plain(text, *remark.span(1), code=True)[0]
        if not _PROPER.search(cell) and (_NO_SUBJECT.match(cell) or _is_matrix(text, cells[1:])):
            continue
        if "?" in cell or not (set(key(cell).split()) - GENERIC or "`" in cell):
            continue
        if named[key(cell)] > 1 or cell.lower() in _EMPTY or len(cell.split()) > 8:
            continue
        figures = all(not any(c.isalpha() for c in plain(text, *c)[0]) for c in cells[1:])
        if key(cell) in ("return", "returns", "return value"):
            yield from _returned(text, start, end, cells, attributes, about)
            continue
        if not any(c.isalpha() for c in cell) or LITERAL.fullmatch(cell):
            noun = singular(lowered(headers[0]))
            nameable = (
                not figures and noun.isalpha() and len(noun) > 2 and last != "value" and cell.count("`") < 3
            )
            subject = f"{noun} {cell}" if nameable else ""
        else:
            subject = qualified(cell, kind, contexts)
        for attribute, span in list(zip(attributes, cells, strict=False))[1:]:
            value, answer = trimmed(*plain(text, *span))
            if not subject or not attribute or not _is_value(value) or key(value) == key(cell):
                continue
            if _is_blank(text[slice(*cells[0])]) or _is_blank(text[slice(*span)]):
                continue
            if attribute != "default" and value.lower().strip("()") in ("none", "unset"):
                continue
            answers = value.lower() in YES_NO and attribute != "default"
            if (answers and not _STATE.match(attribute)) or (
                not answers and _PARTICIPLE.fullmatch(attribute)
            ):
                continue
            yield Statement(subject, attribute, value, start, end, answer, "table")
            if attribute == "description" and "default" not in attributes:
                yield from defaults_in_sentences(text, *span, subject, "")

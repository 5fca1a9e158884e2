"""Splits a passage into blocks of lines of one kind."""

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """Lines of one kind: prose, item, step, table, code or other; the content begins at `body`."""

    kind: str
    start: int
    end: int
    indent: int
    body: int
    heading: str


_ITEM = re.compile(r"[ \t]*(?:([-*+])|\d{1,3}[.)])[ \t]+(?=\S)")
_HEADING = re.compile(r"[ \t]{0,3}#{1,6}[ \t]+(\S.*)")
_ASIDE = ("!!!", "???", ":::", ">", "===", "<!--", "![", "[!")
"""Beginnings of lines that are ignored: admonitions, tabs, quotes, comments, images."""
_INDENTED = ("    ", "\t")
_TEXT = ("item", "step", "prose")


def is_table_rule(line: str) -> bool:
    """Whether the line is the rule below a table's header: `|---|---|`."""
    return "|" in line and "-" in line and set(line) <= set("|:- \t\r\n")


def read_blocks(text: str, section: str) -> Iterator[Block]:
    """The blocks in order, each with the heading above it (`section` for the first ones)."""
    heading, offset, lines = section, 0, text.splitlines(keepends=True)
    fence, table, defining = "", False, False
    open_: Block | None = None
    for number, line in enumerate(lines):
        start, offset, bare = offset, offset + len(line), line.strip()
        indent = len(line) - len(line.lstrip())
        mark = bare[:3] if bare.startswith(("```", "~~~")) else ""
        following = lines[number + 1] if number + 1 < len(lines) else ""
        kind, body = "prose", start + indent
        if fence:
            kind, fence = "code", "" if mark == fence else fence
        elif mark:
            kind, fence = "code", mark
        elif not bare:
            kind = ""
        elif "|" in line and (is_table_rule(following) or table):
            kind = "table"
        elif found := _HEADING.match(line):
            kind, heading = "", found[1].rstrip("# \t\r\n")
        elif item := _ITEM.match(line):
            kind, body = "item" if item[1] else "step", start + item.end()
        elif bare.startswith(_ASIDE) or (line.startswith(_INDENTED) and not (open_ and open_.kind in _TEXT)):
            kind = "other"
        elif open_ and open_.kind in ("item", "step", "other"):
            kind = open_.kind
        table = kind == "table"
        next_term = kind == "prose" and defining and not bare.startswith(":")
        defining = bare.startswith(":")
        marked = kind in ("item", "step") and body != start + indent
        continues = open_ and kind == open_.kind and not marked and not next_term
        if open_ and continues:
            open_ = Block(kind, open_.start, start + len(line.rstrip()), open_.indent, open_.body, heading)
            continue
        if open_:
            yield open_
        new = Block(kind, start + indent, start + len(line.rstrip()), indent, body, heading)
        open_ = new if kind else None
    if open_:
        yield open_

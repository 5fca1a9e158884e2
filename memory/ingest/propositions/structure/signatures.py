"""Extracts parameter defaults and return types from Python signatures."""

import ast
import re
from collections.abc import Iterator

from memory.ingest.propositions.structure.blocks import Block
from memory.ingest.propositions.structure.statements import Statement
from memory.language.text import key

LONGEST_SIGNATURE = 400

_CALL = re.compile(r"(?:async\s+)?(?:def\s+|class\s+)?(?P<name>[A-Za-z_][\w.]{0,80})\(")


def _signature(text: str, start: int, end: int, contexts: list[str]) -> Iterator[Statement]:
    """The parameter defaults and return type of a Python signature; nothing if it does not parse."""
    found = _CALL.match(text, start, end)
    if not found or end - start > LONGEST_SIGNATURE or "\\" in text[start:end] or "\n" in text[start:end]:
        return
    head, shift = "def f", found.end() - 1
    try:
        (function,) = ast.parse(head + text[shift:end].rstrip(": .") + ": pass").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    if not isinstance(function, ast.FunctionDef) or not text[shift:end].isascii():
        return
    name = found["name"]
    around = [c for c in contexts if key(name) not in key(c)]
    plain = not re.fullmatch(r"[a-z]{1,7}|__\w+__", name)
    owner = f"`{name}`" if plain else f"`{name}` in {around[0]}" if around else ""
    if not owner:
        return

    def place(node: ast.expr) -> tuple[int, int]:
        return shift + node.col_offset - len(head), shift + (node.end_col_offset or 0) - len(head)

    parameters = function.args
    positional = [*parameters.posonlyargs, *parameters.args]
    if len(parameters.defaults) == len(positional) and not re.match(r"(?:async )?(?:def|class) ", found[0]):
        return  # it may as well be a call
    defaults = [None] * (len(positional) - len(parameters.defaults)) + list(parameters.defaults)
    for argument, default in [
        *zip(positional, defaults, strict=True),
        *zip(parameters.kwonlyargs, parameters.kw_defaults, strict=True),
    ]:
        if default is not None and "..." not in text[slice(*place(default))]:
            span = place(default)
            subject = f"the `{argument.arg}` parameter of {owner}"
            yield Statement(subject, "default", text[slice(*span)], start, end, span, "signature")
    if function.returns is not None:
        span = place(function.returns)
        yield Statement(owner, "return type", text[slice(*span)], start, end, span, "signature")


def read_signatures(text: str, block: Block, contexts: list[str]) -> Iterator[Statement]:
    """The statements of a signature in a code block, or in code or bold at the beginning of a line."""
    if block.kind == "code":
        lines = text[block.start : block.end].split("\n")
        code = [line for line in lines[1:-1] if line.strip()]
        shown = code and (len(code) == 1 or code[1].strip() in ("...", "pass"))
        if shown and re.match(r"(?:async )?(?:def|class) ", code[0]):
            begin = text.index(code[0], block.start)
            yield from _signature(text, begin, begin + len(code[0].rstrip()), contexts)
        return
    quoted = re.compile(
        r"(?:`|\*\*)((?:async )?(?:def |class )?[A-Za-z_][\w.]{0,80}\([^`\n]{0,300})(?:`|\*\*)"
    )
    if found := quoted.match(text, block.body, block.end):
        yield from _signature(text, *found.span(1), contexts)

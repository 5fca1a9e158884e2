"""Checks the arithmetic that an answer writes down, such as `12 * (3 + 4) = 84`, without `eval`."""

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from memory.records.base import Record

LONGEST_EXPRESSION = 60
"""Tokens of an expression; longer ones are not checked."""
LONGEST_LINE = 1000
"""Characters of a line that are read."""
LARGEST_POWER = 64
LARGEST_VALUE = 1e100

_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,])|\d+(?:\.\d+)?"
_TOKEN = re.compile(
    rf"(?P<word>\d*[^\W\d_]\w*)|(?P<number>{_NUMBER})|(?P<other>[<>!=:]=)|(?P<sign>[=\u2248])"
    r"|(?P<operator>\*\*|[-+*/^\u00d7\u00f7\u2212\u00b7])|(?P<open>\()|(?P<close>\))|(?P<percent>%)|(?P<rest>\S)"
)
_MAY_STAND_BEFORE = frozenset("([{:;,=\u2248\"'\u201c\u201e>|*_`")
"""Characters that may stand right before an expression; after others it is the end of something longer."""
_PERCENT_OF = re.compile(
    rf"(?<![\w.])(?P<share>{_NUMBER})\s?(?:%|percent) of (?P<whole>{_NUMBER})(?: \w+)? (?:is|=|equals) "
    rf"(?P<right>{_NUMBER})(?![\d%.]*\d|%)"
)
_SYMBOLS = str.maketrans(
    {"\u00d7": "*", "x": "*", "\u00b7": "*", "\u00f7": "/", "\u2212": "-", "^": "\ue000"}
)
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class Equation(Record):
    """An equation of the text, with the value that its left side has."""

    text: str
    value: float
    right: bool
    """Whether the written result is the value, rounded to as many decimals as are written."""


def equations(text: str) -> tuple[Equation, ...]:
    """The equations between numbers; what cannot be computed, such as one with variables, is left out."""
    return tuple(_equations(text))


def _equations(text: str) -> Iterator[Equation]:
    for line in text.splitlines():
        yield from _equations_of_line(" ".join(line[:LONGEST_LINE].split()))


def _equations_of_line(line: str) -> Iterator[Equation]:
    tokens = _tokens(line)
    for index, token in enumerate(tokens):
        if token.kind != "sign":
            continue
        first, result = _start(tokens, index, line), _result(tokens, index + 1)
        if first is None or result is None:
            continue
        value = evaluate(line[tokens[first].start : token.start])
        if value is not None:
            text = line[tokens[first].start : result.end]
            written = line[tokens[index + 1].start : result.end]
            yield _equation(text, value, written, loose=token.text == "\u2248")
    for match in _PERCENT_OF.finditer(line):
        share, whole = float(match["share"].replace(",", "")), float(match["whole"].replace(",", ""))
        yield _equation(match[0], share / 100 * whole, match["right"], loose=False)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def _tokens(line: str) -> list[_Token]:
    """The tokens of the line; `is` and `equals` are signs, and an `x` between numbers multiplies them."""
    found = [_Token(m.lastgroup or "", m[0], m.start(), m.end()) for m in _TOKEN.finditer(line)]
    for index, token in enumerate(found):
        if token.text in ("is", "equals"):
            found[index] = replace(token, kind="sign")
        elif token.text == "x" and 0 < index < len(found) - 1:
            sides = found[index - 1].kind, found[index + 1].kind
            if sides[0] in ("number", "close") and sides[1] in ("number", "open"):
                found[index] = replace(token, kind="operator")
    return found


def _start(tokens: Sequence[_Token], sign: int, line: str) -> int | None:
    """Index of the first token of the expression before the sign; None if there is none, or a variable."""
    first = sign
    while first > 0 and tokens[first - 1].kind in ("number", "operator", "open", "close", "percent"):
        first -= 1
    expression = tokens[first:sign]
    if not any(token.kind == "operator" for token in expression[1:]) or len(expression) > LONGEST_EXPRESSION:
        return None
    begin = tokens[first]
    if begin.kind == "operator" and (
        begin.text not in "-\u2212" or (first > 0 and tokens[first - 1].kind != "sign")
    ):
        return None
    before = line[begin.start - 1 : begin.start]
    return first if not before.strip() or before in _MAY_STAND_BEFORE else None


def _result(tokens: Sequence[_Token], first: int) -> _Token | None:
    """The number after the sign; None if the right side is none, or goes on."""
    if first < len(tokens) and tokens[first].text in ("-", "\u2212"):
        first += 1
    if first >= len(tokens) or tokens[first].kind != "number":
        return None
    following = [token.kind for token in tokens[first + 1 : first + 3]]
    goes_on = following[:1] in (["percent"], ["open"]) or following in (
        ["operator", "number"],
        ["operator", "open"],
    )
    return None if goes_on else tokens[first]


def evaluate(expression: str) -> float | None:
    """The value of an arithmetic expression over plain numbers; None if it has none, or a huge one."""
    cleaned = re.sub(r"(?<=\d),(?=\d{3})", "", expression).translate(_SYMBOLS).replace("\ue000", "**")
    cleaned = re.sub(r"(\d)\s*%", r"\1/100", cleaned).strip()
    try:
        value = _value(ast.parse(cleaned, mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, OverflowError, RecursionError):
        return None
    return value if math.isfinite(value) and abs(value) <= LARGEST_VALUE else None


def _value(node: ast.expr) -> float:
    """Raises ValueError for anything but numbers and the four operations, signs and small powers."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return float(cast(float, node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return -_value(node.operand) if isinstance(node.op, ast.USub) else _value(node.operand)
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left), _value(node.right)
        if isinstance(node.op, ast.Pow):
            if abs(right) > LARGEST_POWER or (left < 0 and not right.is_integer()):
                raise ValueError("the power is too large")
            return float(left**right)
        if operation := _OPERATORS.get(type(node.op)):
            return operation(left, right)
    raise ValueError("not arithmetic")


def _equation(text: str, value: float, written: str, *, loose: bool) -> Equation:
    digits = re.sub(r"[,\s]", "", written).replace("\u2212", "-")
    decimals = len(digits.partition(".")[2])
    tolerance = 0.5 * 10.0**-decimals if decimals or not value.is_integer() else 0.0
    if loose:
        tolerance = max(tolerance, 0.05 * abs(value))
    right = abs(value - float(digits)) <= tolerance + 1e-9 * max(1.0, abs(value))
    return Equation(text=" ".join(text.split()), value=value, right=right)

"""Checks the arithmetic that an answer writes down, such as `12 * (3 + 4) = 84`, without `eval`."""

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator
from typing import cast

from memory.records.base import Record

LONGEST_EXPRESSION = 200
"""Characters of an expression; longer ones are not checked."""
LONGEST_LINE = 1000
"""Characters of a line that are searched; the search takes quadratic time."""
LARGEST_POWER = 64
LARGEST_VALUE = 1e100

_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_EQUATION = re.compile(
    rf"(?<![\w.^*/+\u2212=)-])(?P<left>[-\u2212(\s]*(?:{_NUMBER})\s*%?"
    rf"(?:[\s)]*(?:\*\*|[-+*/^x\u00d7\u00f7\u2212\u00b7])[\s(]*(?:{_NUMBER})\s*%?)+[\s)]*)"
    rf"(?P<sign>=|\u2248|\bis\b|\bequals\b)\s*(?P<right>[-\u2212]?\s?(?:{_NUMBER}))(?P<rest>\s*[\w%^*/+(\u00d7]?)"
)
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


def _equations_of_line(text: str) -> Iterator[Equation]:
    for match in _EQUATION.finditer(text):
        rest = match["rest"].strip()
        if rest and (rest in "^*/+(\u00d7x%" or not match["rest"][0].isspace()):
            continue  # the right side goes on, or has a variable
        if len(match["left"]) > LONGEST_EXPRESSION:
            continue
        value = evaluate(match["left"])
        if value is not None:
            yield _equation(match[0], value, match["right"], loose=match["sign"] == "\u2248")
    for match in _PERCENT_OF.finditer(text):
        share, whole = float(match["share"].replace(",", "")), float(match["whole"].replace(",", ""))
        yield _equation(match[0], share / 100 * whole, match["right"], loose=False)


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

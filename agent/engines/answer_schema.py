"""Limits of JSON schemas that answers have to match: the engine compiles each, and others wait meanwhile.

vLLM's compiler (xgrammar) takes time in the square of an object's optional properties, of the length of
values, and of what patterns repeat: 5,000 properties take it minutes. Within these limits it is seconds.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

MOST_CHARACTERS = 50_000
"""Of all schemas of a request, as JSON."""
MOST_PROPERTIES = 200
"""Of one object."""
MOST_IN_PATTERNS = 2_000
"""Characters and repetitions of all patterns together."""
PROPERTIES = ("properties", "patternProperties")
REPEATED = re.compile(r"\{(\d{0,9}),?(\d{0,9})\}")


def require_affordable(*schemas: Any) -> None:
    """Raises ValueError for schemas that would keep the engine from answering others."""
    size = sum(len(json.dumps(schema)) for schema in schemas)
    if size > MOST_CHARACTERS:
        raise ValueError(f"the schemas have {size} characters (limit {MOST_CHARACTERS}): use smaller ones")
    parts = [part for schema in schemas for part in _objects(schema)]
    most = max((len(_named(part, name)) for part in parts for name in PROPERTIES), default=0)
    if most > MOST_PROPERTIES:
        raise ValueError(f"an object of the schema has {most} properties (limit {MOST_PROPERTIES}): split it")
    in_patterns = sum(_cost(pattern) for part in parts for pattern in _patterns(part))
    if in_patterns > MOST_IN_PATTERNS:
        raise ValueError(
            f"the patterns of the schemas have {in_patterns} characters and repetitions"
            f" (limit {MOST_IN_PATTERNS}): use simpler ones, or maxLength"
        )


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    """All JSON objects in a schema, itself included."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)


def _named(part: dict[str, Any], name: str) -> dict[str, Any]:
    value = part.get(name)
    return value if isinstance(value, dict) else {}


def _patterns(part: dict[str, Any]) -> Iterator[str]:
    """The patterns of this part of a schema, without those of the parts in it."""
    if isinstance(pattern := part.get("pattern"), str):
        yield pattern
    yield from _named(part, "patternProperties")


def _cost(pattern: str) -> int:
    numbers = (int(number) for pair in REPEATED.findall(pattern) for number in pair if number)
    return len(pattern) + sum(numbers)

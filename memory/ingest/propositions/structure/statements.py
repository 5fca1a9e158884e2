"""The statement that is extracted from a passage's structure, and the limits of its parts."""

from dataclasses import dataclass

LONGEST_CELL = 25
"""In words, of a table cell or a labelled value."""
LONGEST_TEXT = 40
"""In words, of an item's sentence, and of all steps together."""


@dataclass(frozen=True)
class Statement:
    """Subject, relation and object, with their exact place in the passage."""

    subject: str
    """Understandable alone, with names from header, heading or title added. Code keeps its backticks."""
    relation: str
    object: str
    """Verbatim, except for Markdown marks."""
    start: int
    end: int
    """Span of the row, item, line or sentence in the passage's text."""
    answer: tuple[int, int]
    """Span of the object in the passage's text, without outer marks."""
    rule: str
    """`table`, `triple`, `option`, `definition_list`, `default`, `signature`, `heading` or `steps`."""

"""What is read from a passage's structure, and how long its parts may be."""

from dataclasses import dataclass

LONGEST_CELL = 25
"""Words of a table cell or a labelled value."""
LONGEST_TEXT = 40
"""Words of an item's sentence, and of all steps together."""


@dataclass(frozen=True)
class Statement:
    """One thing a passage says, with its exact place."""

    subject: str
    """Self-contained: resolved with header, heading or title. Code keeps its backticks."""
    relation: str
    object: str
    """Verbatim but for Markdown marks."""
    start: int
    end: int
    """Span in the passage's text of the row, item, line or sentence that states it."""
    answer: tuple[int, int]
    """Span in the passage's text of the object, inside its outer marks."""
    rule: str
    """`table`, `option`, `definition_list`, `default`, `signature`, `heading` or `steps`."""

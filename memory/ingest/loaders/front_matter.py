"""The block of YAML or TOML that a Markdown file begins with: fields about the document, not its text."""

import datetime
import re
import tomllib
from collections.abc import Mapping
from typing import NamedTuple

import yaml  # type: ignore[import-untyped]  # ships no types

from memory.ingest.loaders.document_dates import first_date

LONGEST = 20_000
"""Characters; a longer block is taken for text."""
_BLOCK = re.compile(
    r"\ufeff?(---|\+\+\+)[ \t]*\r?\n(.*?)^(?:\1|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE
)
_DATES = (
    "lastmod", "last_modified", "last_modified_at", "modified", "modified_at", "updated", "updated_at",
    "last_updated", "date_modified", "date", "published", "published_at", "publish_date", "date_published",
    "pubdate", "created", "created_at",
)  # fmt: skip


class FrontMatter(NamedTuple):
    """Where the block ends, and its fields."""

    end: int
    """Offset in the document's text of what follows the block."""
    fields: Mapping[str, str]
    """The fields that are one text, number or date, by name in lower case with underscores."""

    @property
    def title(self) -> str:
        """The title in one line; empty if there is none."""
        return " ".join(self.fields.get("title", "").split())

    @property
    def dated(self) -> datetime.datetime | None:
        """The last date on which the text was revised, if one is given."""
        return first_date(self.fields.get(name) for name in _DATES)


def read_front_matter(text: str) -> FrontMatter | None:
    """The document's front matter. None if it has none: text between two lines of hyphens stays text."""
    block = _BLOCK.match(text[:LONGEST])
    if block is None:
        return None
    try:
        # The base loader makes texts of all values, and no objects.
        read = tomllib.loads(block[2]) if block[1] == "+++" else yaml.load(block[2], yaml.BaseLoader)
    except (yaml.YAMLError, tomllib.TOMLDecodeError, RecursionError):
        return None
    if not isinstance(read, dict) or not read:
        return None
    named = {
        str(name).strip().lower().replace("-", "_").replace(" ", "_"): value for name, value in read.items()
    }
    kept = (str, int, float, datetime.date, datetime.time)
    return FrontMatter(
        block.end(), {name: str(value) for name, value in named.items() if isinstance(value, kept)}
    )


def blanked(text: str, end: int) -> str:
    """The text with spaces up to `end`, so that the offsets and lines of what follows stay."""
    return re.sub(r"[^\r\n]", " ", text[:end]) + text[end:]

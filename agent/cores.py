"""Reads `cores.toml`: the sentences that questions are made of, by form and split.

How they are put together is in `wordings`.
"""

import tomllib
from pathlib import Path
from typing import Any, Literal

from memory.records import Form

Split = Literal["taught", "held_out"]

_FILE = Path(__file__).with_suffix(".toml")


def _by_split(document: dict[str, list[str]]) -> dict[Split, tuple[str, ...]]:
    return {"taught": tuple(document["taught"]), "held_out": tuple(document["held_out"])}


_DOCUMENT: dict[str, Any] = tomllib.loads(_FILE.read_text(encoding="utf-8"))

OPENINGS = _by_split(_DOCUMENT["openings"])
"""Each ends in a space."""
CLOSINGS = _by_split(_DOCUMENT["closings"])
"""Each begins with a space or a comma."""
CORES: dict[Form, dict[Split, tuple[str, ...]]] = {
    form: _by_split(splits) for form, splits in _DOCUMENT["cores"].items()
}
"""Each ends in its own punctuation and names `{subject}`, `{object}` or both."""

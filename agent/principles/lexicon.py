"""The words by which statements about groups of people are read, from `words.toml`."""

import re
import tomllib
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

from memory.language.lexicon import words_in

KINDS = (
    "nationality", "ethnicity", "religion", "gender", "age", "disability", "orientation", "class",
)  # fmt: skip
_CAPITAL_PLURAL = r"[A-Z][a-z]+s"


class GroupWords(NamedTuple):
    """Word lists by name, and the expressions that tell whether a text may need to be parsed."""

    groups: dict[str, frozenset[str]]
    """By kind, such as `religion`, and `conditions` and `people`."""
    traits: dict[str, frozenset[str]]
    frames: dict[str, frozenset[str]]
    names_group: re.Pattern[str]
    names_trait: re.Pattern[str]

    def kind_of(self, word: str) -> str | None:
        """The kind of group that a word in lower case names, in the singular or the plural."""
        forms = (word, word.removesuffix("s"), word.removesuffix("es"))
        return next((kind for kind in KINDS if any(form in self.groups[kind] for form in forms)), None)


@lru_cache(maxsize=1)
def group_words() -> GroupWords:
    """The shipped lists."""
    tables = tomllib.loads(resources.files(__package__).joinpath("words.toml").read_text("utf-8"))
    groups, traits, frames = (
        {name: words_in(line) for name, line in tables[table].items()}
        for table in ("groups", "traits", "frames")
    )
    named = frozenset().union(*groups.values())
    said = frozenset().union(*traits.values())
    return GroupWords(
        groups=groups,
        traits=traits,
        frames=frames,
        names_group=re.compile(rf"\b(?:{_CAPITAL_PLURAL}|(?i:{_any(named | {'they'})})(?:e?s|ies|y)?)\b"),
        names_trait=re.compile(rf"\b(?:{_any(said)})|\b(?:wors|stole|lying|lied)", re.IGNORECASE),
    )


def _any(words: frozenset[str]) -> str:
    """An expression for any of the words; a final e or y may change before an ending."""
    stems = {re.sub(r"(?<=..)[ey]$", "", word) for word in words}
    return "|".join(sorted(map(re.escape, stems), key=lambda stem: (-len(stem), stem)))

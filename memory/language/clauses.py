"""Data types for parsed clauses: Phrase, Argument, Clause and Apposition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

Role = Literal[
    "object", "complement", "adjective", "receiver", "infinitive", "clause", "prepositional", "agent",
    "measure", "adverb", "adverbial",
]  # fmt: skip


@dataclass(frozen=True)
class Phrase:
    """A phrase whose text can be used in another sentence."""

    text: str
    head: Token
    start: int
    end: int
    """Span in the parsed text, before pronouns were replaced or words left out."""
    core: str = ""
    """For a noun, the phrase without the clauses that follow the noun; "" if that is the same."""


@dataclass(frozen=True)
class Argument:
    """An object, complement or adjunct of a verb."""

    role: Role
    phrase: Phrase
    marker: str = ""
    """The preposition or conjunction before the phrase."""
    fronted: bool = False

    @property
    def text(self) -> str:
        return f"{self.marker} {self.phrase.text}".strip()


@dataclass(frozen=True)
class Clause:
    """One predicate; `subject` is None for an imperative."""

    sentence: Span
    verb: Token
    subject: Phrase | None
    auxiliaries: tuple[str, ...]
    particle: str
    adverbs: str
    """Adverbs before the verb, such as `initially`."""
    negation: str
    """`not`, `never` or ''."""
    passive: bool
    past: bool
    plural: bool
    arguments: tuple[Argument, ...]
    condition: Argument | None = None
    existential: bool = False
    """Whether it is `There are ...`; the thing that exists is then the subject."""

    @property
    def negated(self) -> bool:
        return bool(self.negation)

    @property
    def copula(self) -> bool:
        return self.verb.lemma_ == "be" and not self.passive

    def first(self, *roles: Role) -> Argument | None:
        """The first argument in one of these roles."""
        return next((a for a in self.arguments if a.role in roles), None)


@dataclass(frozen=True)
class Apposition:
    """A name and a description of the same thing: `Pedanius Dioscorides, a Greek physician`."""

    sentence: Span
    name: Phrase
    description: Phrase

"""What a clause is made of: phrases, arguments, the clause itself, and appositions."""

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
    """Words that can stand in another sentence."""

    text: str
    head: Token
    start: int
    end: int
    """Its span in the parsed text, before anything was replaced or left out."""
    core: str = ""
    """Of a noun, the phrase without the clauses that follow the noun; "" where that is the same."""


@dataclass(frozen=True)
class Argument:
    """What a verb takes beside its subject."""

    role: Role
    phrase: Phrase
    marker: str = ""
    """The preposition or conjunction before it."""
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
    """Before the verb: `also`, `initially`."""
    negation: str
    """`not`, `never`, or nothing."""
    passive: bool
    past: bool
    plural: bool
    arguments: tuple[Argument, ...]
    condition: Argument | None = None
    existential: bool = False
    """`There are ...`; what there is, is the subject."""

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
    """`Pedanius Dioscorides, a Greek physician`: two names of one thing."""

    sentence: Span
    name: Phrase
    description: Phrase

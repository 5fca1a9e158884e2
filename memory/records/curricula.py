"""What is taught: question and answer pairs, and the curriculum that holds them."""

from collections.abc import Iterable
from typing import Literal, Self

from pydantic import field_validator, model_validator

from memory.records.base import Digest, Domain, Record, digest_of
from memory.records.knowledge import Fact

Form = Literal[
    "definition", "value", "who", "what", "which", "when", "where", "why", "how", "how_many", "how_much",
    "yes_no", "procedure", "reverse", "statement", "cloze",
]  # fmt: skip
"""The kind of question. `value`: an attribute of something, such as a default, a limit or a cell of a table.
`reverse`: asks for the subject that a definition describes."""
GUESSED_FORMS: frozenset[Form] = frozenset({"yes_no", "statement", "cloze"})
"""Forms that a model may answer rightly without ever having seen the fact."""


class QAPair(Record):
    """One question and answer to be learned, tied to the stretch of source that supports it."""

    question: str
    answer: str
    form: Form
    fact_id: str
    source: str
    quote: str
    """The supporting sentence, verbatim."""


def untaught(held_out: Iterable[QAPair], pairs: Iterable[QAPair]) -> tuple[QAPair, ...]:
    """The held-out pairs whose question none of the `pairs` asks of the same fact, case and spacing aside."""
    taught = {(pair.fact_id, _plain(pair.question)) for pair in pairs}
    return tuple(pair for pair in held_out if (pair.fact_id, _plain(pair.question)) not in taught)


def _plain(question: str) -> str:
    return " ".join(question.casefold().split())


class Curriculum(Record):
    """What a trainer may learn from: immutable, and named by the digest of its own content."""

    topic: str
    domain: Domain
    facts: tuple[Fact, ...]
    pairs: tuple[QAPair, ...]
    held_out: tuple[QAPair, ...] = ()
    """The same questions in wordings that are never trained: evaluation asks these."""
    teacher: str
    """Who wrote the pairs: `rules` or the model name of a remote teacher."""
    supersedes: tuple[Digest, ...] = ()
    """Earlier curricula of the domain whose place it takes: what no lesson teaches any more is forgotten."""

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical content: the same curriculum always has the same name."""
        unused = None if self.supersedes else {"supersedes"}
        return digest_of(self.model_dump(mode="json", exclude=unused))

    @field_validator("pairs")
    @classmethod
    def _not_empty(cls, pairs: tuple[QAPair, ...]) -> tuple[QAPair, ...]:
        if not pairs:
            raise ValueError("a curriculum needs at least one question and answer pair")
        return pairs

    @model_validator(mode="after")
    def _held_out_is_untaught(self) -> Self:
        if len(untaught(self.held_out, self.pairs)) < len(self.held_out):
            raise ValueError("a held-out question is also among the taught ones of its fact")
        return self

"""Curricula: the question-and-answer pairs that a training job learns from."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from memory.records.base import Digest, Domain, Record, digest_of
from memory.records.knowledge import Fact

Form = Literal[
    "definition", "value", "who", "what", "which", "when", "where", "why", "how", "how_many", "how_much",
    "yes_no", "procedure", "reverse", "statement", "cloze",
]  # fmt: skip
"""The kind of question. `value`: an attribute of something, such as a default, a limit or a table cell.
`reverse`: asks for the subject that a definition describes."""
GUESSED_FORMS: frozenset[Form] = frozenset({"yes_no", "statement", "cloze"})
"""Forms that a model may answer correctly without having seen the fact."""


class View(Record):
    """What one perspective holds, in the words of its source."""

    held_by: str
    source: str
    owner: str | None = None
    """Of the document; None if it is shared."""
    quote: str
    """Verbatim."""


class QAPair(Record):
    """One question and its answer, tied to the sentence of the source that supports it."""

    question: str
    answer: str
    form: Form
    fact_id: str
    source: str
    quote: str
    """The supporting sentence, verbatim."""
    views: tuple[View, ...] = ()
    """Of an answer that tells what several perspectives hold: all of them, the heaviest first. `source` and
    `quote` are the first one's."""

    @property
    def quoted(self) -> "tuple[QAPair | View, ...]":
        """What it quotes: itself, and each view."""
        return (self, *self.views)

    @property
    def digest(self) -> Digest:
        """Digest of its question and answer, by which its surprise is kept over nights."""
        return item_digest(self.question, self.answer)


def item_digest(question: str, answer: str) -> Digest:
    """Digest of a taught question and answer."""
    return digest_of([question, answer])


_OF_STATEMENTS = ("said_by", "valid_until")
"""Fields of facts that are left out of digests while unset: curricula older than them keep their digest."""


def untaught(held_out: Iterable[QAPair], pairs: Iterable[QAPair]) -> tuple[QAPair, ...]:
    """The held-out pairs whose question is not among the `pairs` of the same fact, ignoring case and
    spacing."""
    taught = {(pair.fact_id, _plain(pair.question)) for pair in pairs}
    return tuple(pair for pair in held_out if (pair.fact_id, _plain(pair.question)) not in taught)


def _plain(question: str) -> str:
    return " ".join(question.casefold().split())


class Curriculum(Record):
    """The lesson that a training job learns; immutable, and named by the digest of its content."""

    topic: str
    domain: Domain
    facts: tuple[Fact, ...]
    pairs: tuple[QAPair, ...]
    held_out: tuple[QAPair, ...] = ()
    """The same questions in wordings that are never trained; evaluation asks these."""
    attacked: tuple[QAPair, ...] = ()
    """Attacks that a model of the domain fell for, with the right answers; never trained either, and asked by
    evaluation."""
    teacher: str
    """Who wrote the pairs: `rules`, or the model name of a remote teacher."""
    supersedes: tuple[Digest, ...] = ()
    """Earlier curricula of the domain that this one replaces; facts that no lesson teaches any more are to be
    forgotten."""
    early_stop: bool = False
    """Whether training is validated on wordings of its own, and ends once it no longer helps."""
    weights: dict[Digest, Annotated[float, Field(gt=0)]] = {}
    """How often to teach or rehearse a question, relative to others, by the digest of one of its pairs, in
    this lesson or an earlier one; 1 for those left out."""

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical content, which the dates of facts are no part of.

        Equal curricula have equal digests.
        """
        optional = ("supersedes", "early_stop", "weights", "attacked")  # absent from earlier curricula
        unused = {name for name in optional if not getattr(self, name)}
        content = self.model_dump(mode="json", exclude=unused)
        for fact in content["facts"]:
            del fact["observed_at"], fact["dated"]
            for name in _OF_STATEMENTS:
                if fact[name] is None:
                    del fact[name]
        for pair in (*content["pairs"], *content["held_out"], *content.get("attacked", ())):
            if not pair["views"]:
                del pair["views"]
        return digest_of(content)

    @field_validator("pairs")
    @classmethod
    def _not_empty(cls, pairs: tuple[QAPair, ...]) -> tuple[QAPair, ...]:
        if not pairs:
            raise ValueError("a curriculum needs at least one question and answer pair")
        return pairs

    @model_validator(mode="after")
    def _held_out_is_untaught(self) -> Self:
        if len(untaught(self.held_out, self.pairs)) < len(self.held_out):
            raise ValueError("a held-out question is also a taught question of the same fact")
        return self

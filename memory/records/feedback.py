"""Feedback on answers, annotation of answer pairs, and the preference pairs made from both."""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from memory.records.base import Digest, Domain, Record, Share, digest_of
from memory.records.interactions import LoggedMessage

ExplicitKind = Literal["rating", "vote", "comment", "correction"]
ImplicitKind = Literal["continued", "copied", "regenerated", "dwell", "reported"]
FeedbackKind = ExplicitKind | ImplicitKind

PairOrigin = Literal["annotation", "correction", "regeneration", "vote", "revision", "score", "import"]
"""`regeneration`: a regenerated answer that was kept. `vote`: a vote or rating of a single answer.
`revision`: an answer that a night revised. `score`: two answers, one of which a night scored higher."""
Algorithm = Literal["dpo", "kto", "sft", "grpo"]
"""How preferences are trained: direct preference optimisation, Kahneman-Tversky optimisation, plain
fine-tuning on the preferred answers, or group-relative policy optimisation with a reward model."""
Choice = Literal["a", "b", "both_good", "both_bad", "skip"]
ItemStatus = Literal["open", "done"]


class Feedback(Record):
    """One piece of feedback on an interaction; of each kind, a user's latest counts."""

    id: str
    interaction_id: str
    kind: FeedbackKind
    value: float | None = None
    """Stars of a rating (1 to 5), +1 or -1 of a vote, seconds of a dwell; 1 or 0 of `continued`, `copied` and
    `regenerated`; None for the others."""
    text: str | None = None
    """Text of a comment or correction, or the reason of a report; personal data is scrubbed."""
    owner: str | None
    """Owner of the API key that sent it; None without authentication."""
    created_at: datetime


class AnnotationItem(Record):
    """A question with two answers to compare; which side the served answer is on was drawn at random."""

    id: str
    batch: str
    """Name of the sample that it was drawn into."""
    interaction_id: str | None
    """None for imported items."""
    domain: Domain
    messages: tuple[LoggedMessage, ...]
    """The conversation up to the answer."""
    a: str
    b: str
    a_source: str
    """What gave answer `a`: `served`, or the alternative's source, such as `sampled` or an adapter's name."""
    b_source: str
    annotators: int = Field(1, ge=1, le=9)
    """Number of annotators wanted."""
    gold: Choice | None = None
    """The known right choice, of items that check annotators; never shown."""
    priority: float = 0.0
    """The sampling priority; 0 for randomly drawn items."""
    status: ItemStatus = "open"
    created_at: datetime


class Judgement(Record):
    """One annotator's decision on an item."""

    item_id: str
    annotator: str
    choice: Choice
    comment: str = ""
    rewrite: str | None = None
    """A better answer than both, if the annotator wrote one."""
    seconds: float | None = Field(None, ge=0)
    """Time that the annotator took, if known."""
    created_at: datetime


class PreferencePair(Record):
    """A prompt with a preferred and a rejected answer, or only one of them."""

    messages: tuple[LoggedMessage, ...]
    """The conversation; the last message is the user's."""
    chosen: str | None
    """None if only a disliked answer is known; such a pair trains KTO alone."""
    rejected: str | None
    """None if only a liked or corrected answer is known; such a pair trains KTO and SFT, but not DPO."""
    origin: PairOrigin
    source: str
    """Id of the interaction, annotation item or night that it comes from."""
    weight: Share = 1.0
    """How often it is trained, relative to other pairs."""

    @model_validator(mode="after")
    def _answers_differ(self) -> Self:
        if self.chosen == self.rejected:
            raise ValueError("the chosen and the rejected answer are the same, or both are missing")
        if any(answer is not None and not answer.strip() for answer in (self.chosen, self.rejected)):
            raise ValueError("an answer of a preference pair is empty")
        if not self.messages or self.messages[-1].role != "user":
            raise ValueError("a preference pair's last message has to be the user's")
        return self

    @property
    def question(self) -> str:
        """The last message."""
        return self.messages[-1].content

    def trains(self, algorithm: Algorithm) -> bool:
        """Whether the algorithm can use the pair: DPO and GRPO need both answers, SFT the chosen one."""
        if algorithm == "kto":
            return True
        return self.chosen is not None and (algorithm == "sft" or self.rejected is not None)


class PreferenceSet(Record):
    """Preference pairs that a training job learns from; immutable, and named by the digest of its content."""

    domain: Domain
    pairs: tuple[PreferencePair, ...]
    held_out: tuple[PreferencePair, ...] = ()
    """Pairs that are never trained; evaluation compares the answers' likelihoods on these."""
    algorithm: Algorithm = "dpo"
    until: datetime | None = None
    """End of the period whose feedback it was made from."""

    @property
    def digest(self) -> Digest:
        """SHA-256 of the canonical content; equal sets have equal digests."""
        return digest_of(self.model_dump(mode="json"))

    @field_validator("pairs")
    @classmethod
    def _not_empty(cls, pairs: tuple[PreferencePair, ...]) -> tuple[PreferencePair, ...]:
        if not pairs:
            raise ValueError("a preference set needs at least one pair")
        return pairs

    @model_validator(mode="after")
    def _is_trainable(self) -> Self:
        if not all(pair.trains(self.algorithm) for pair in (*self.pairs, *self.held_out)):
            raise ValueError(f"a pair lacks an answer that {self.algorithm} needs")
        return self

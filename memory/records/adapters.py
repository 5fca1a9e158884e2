"""The record of a registered LoRA adapter."""

from datetime import datetime
from typing import Literal, Self

from pydantic import model_validator

from memory.records.base import AdapterName, Digest, Domain, Record
from memory.records.evaluations import Evaluation, GateVerdict
from memory.records.interactions import AnswerGate

AdapterStatus = Literal["candidate", "live", "retired", "rejected"]
"""`candidate`: passed its gates, and was never live. `retired`: was live once, or is so on another base."""


class Canary(Record):
    """A question whose answer shows whether a loaded adapter is really in effect."""

    question: str
    answer: str
    """The adapted model's answer in evaluation, verbatim."""
    base_answer: str
    """The base model's answer; always different from `answer`."""


class GatePassRates(Record):
    """Shares of the held-out questions whose answers pass the adapter's gate: right ones and wrong ones."""

    right: float
    wrong: float


class Adapter(Record):
    """A registered LoRA adapter; its immutable name encodes domain, version and content."""

    name: AdapterName
    domain: Domain
    version: int
    status: AdapterStatus
    path: str
    """Folder of `adapter_config.json` and `adapter_model.safetensors`; if those are in an object storage,
    `AdapterRegistry.fetch` brings them."""
    files: Digest | None = None
    """SHA-256 over both files as they were when evaluated; without it they are served unchecked."""
    base_model: str
    """Name of the base model, as in the model's card."""
    base_digest: Digest
    """Digest of the base model's files; an adapter for other weights is never loaded."""
    curriculum: Digest | None = None
    """The lesson that it was trained on; None if it was trained on preferences."""
    rehearsed: tuple[Digest, ...] = ()
    """Earlier curricula that it knows, from rehearsal or because training went on from an adapter that knew
    them; oldest first."""
    preferences: tuple[Digest, ...] = ()
    """Preference sets that its weights were trained on, oldest first."""
    parent: AdapterName | None = None
    """The domain's live adapter when this one was trained; None if it was the base model. This adapter knows
    all of its parent's lessons except those left out on purpose."""
    recipe: str
    gate: AnswerGate
    """Fitted for this adapter."""
    let_through: GatePassRates
    """Measured on the questions about what it was taught, or if it was trained on preferences, on general
    ones."""
    before: Evaluation
    after: Evaluation
    verdict: GateVerdict
    canary: Canary | None
    training_seconds: float
    training_tokens: int
    created_at: datetime

    @model_validator(mode="after")
    def _was_trained_on_something(self) -> Self:
        if self.curriculum is None and not self.preferences:
            raise ValueError("an adapter was trained on a curriculum or on preferences")
        return self

    @property
    def learned(self) -> tuple[Digest, ...]:
        """All curricula that the adapter has learned, oldest first."""
        return self.rehearsed if self.curriculum is None else (*self.rehearsed, self.curriculum)

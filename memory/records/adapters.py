"""Registered LoRA adapters."""

from datetime import datetime
from typing import Literal

from memory.records.base import AdapterName, Digest, Domain, Record
from memory.records.evaluations import Evaluation, GateVerdict
from memory.records.interactions import AnswerGate

AdapterStatus = Literal["candidate", "live", "retired", "rejected"]


class Canary(Record):
    """A question whose answer shows whether an adapter is really in effect after loading."""

    question: str
    answer: str
    """What the adapted model answered in evaluation, verbatim."""
    base_answer: str
    """What the base model answers: always different from `answer`."""


class GatePassRates(Record):
    """What an adapter's gate lets through of its answers to held-out wordings, as shares of these."""

    right: float
    wrong: float


class Adapter(Record):
    """A registered LoRA adapter; its name is immutable and encodes domain, version and content."""

    name: AdapterName
    domain: Domain
    version: int
    status: AdapterStatus
    path: str
    """Folder with `adapter_config.json` and `adapter_model.safetensors`."""
    files: Digest | None = None
    """SHA-256 over both as they were measured; without it they are served unchecked."""
    base_model: str
    """Name of the model that it adapts, as in the model's card."""
    base_digest: Digest
    """Digest of that model's files: an adapter of other weights is never loaded."""
    curriculum: Digest
    rehearsed: tuple[Digest, ...] = ()
    """Earlier curricula of the domain that were trained along, oldest first."""
    parent: AdapterName | None = None
    """The domain's live adapter when it was trained, all of whose lessons it knows but for those left out;
    None for the base model."""
    recipe: str
    gate: AnswerGate
    """Refitted for this adapter."""
    let_through: GatePassRates
    """Of what it was taught."""
    before: Evaluation
    after: Evaluation
    verdict: GateVerdict
    canary: Canary | None
    training_seconds: float
    training_tokens: int
    created_at: datetime

    @property
    def learned(self) -> tuple[Digest, ...]:
        """All curricula that it was trained on, oldest first."""
        return (*self.rehearsed, self.curriculum)

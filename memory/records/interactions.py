"""What happened in chat: interactions, how sure the model was, the gate that decides, and gaps."""

from datetime import datetime
from typing import Literal

from memory.records.base import Domain, Interval, Record, Share
from memory.records.knowledge import Citation

Decision = Literal["confident", "undecided", "unsure"]
Intent = Literal["question", "conversation"]
"""`question`: seeks knowledge, so its answer is gated. `conversation`: everything else."""
ChatOutcome = Literal["answered", "answered_unsure", "answered_from_sources", "abstained"]
"""`answered_unsure`: the model was unsure and the answer went out all the same, because the caller's policy
says so or because it was already being streamed."""
UnsurePolicy = Literal["abstain", "warn", "answer"]
"""What a caller gets when the model is unsure and no source helps."""
AnswerForm = Literal["short", "sentence", "long"]
GapStatus = Literal["open", "learning", "closed", "dismissed"]
"""`dismissed`: a person does not want it learned, so the question opens no gap again."""


class Signals(Record):
    """How sure the model was of one answer, over answer tokens only; entropies are in nats."""

    first: Interval
    """Entropy of the first token."""
    mean: Interval
    maximum: Interval
    mean_logprob: float
    min_logprob: float
    tokens: int


class LogisticModel(Record):
    """A logistic regression over standardised features; the five lists have one order."""

    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float


class FormGate(Record):
    """The gate for answers of one form."""

    model: LogisticModel
    """The chance that an answer is right."""
    threshold: float | None
    """Least chance at which an answer counts as confident; None where no threshold keeps the promise."""
    labels: int
    """Graded answers that the threshold was chosen on."""
    coverage: Share = 0.0
    """Share of these answers that the threshold lets through."""


class AnswerGate(Record):
    """When an answer counts as confident, for one model or adapter.

    The promise, by Learn-Then-Test (Angelopoulos et al. 2021, arXiv 2110.01052): with probability at least
    1 - `delta` over the choice of calibration questions, at most `risk` of the confident answers are wrong.
    """

    risk: Share
    delta: Share
    forms: dict[AnswerForm, FormGate]
    """A form that is missing was never calibrated; its answers are never confident."""
    error: Share | None = None
    """Expected calibration error of the stated chance, cross-validated."""
    fitted_on: str
    """The questions behind it, for people."""


class Uncertainty(Signals):
    """What the gate made of one answer."""

    form: AnswerForm
    abstained: bool
    """The answer says that the model does not know."""
    confidence: Share | None
    """The chance that the answer is right, by the gate's calibration; None where there is none."""
    threshold: float | None
    """Least confidence that counts as confident; None where the gate promises nothing for this form."""
    decision: Decision


class Interaction(Record):
    """One served chat turn."""

    id: str
    question: str
    answer: str
    domain: Domain
    adapter: str | None
    uncertainty: Uncertainty | None
    intent: Intent = "question"
    outcome: ChatOutcome
    citations: tuple[Citation, ...] = ()
    unit: str | None = None
    """Whom or what the turn belongs to, where the caller said so: a user, or else a conversation."""
    created_at: datetime


class Gap(Record):
    """A question that the service could not answer, and what it seems to lack."""

    id: str
    question: str
    domain: Domain
    keywords: tuple[str, ...]
    uncertainty: Uncertainty | None
    status: GapStatus = "open"
    opened_at: datetime
    run_id: str | None = None
    merged_into: str | None = None
    """Id of the gap that stands for this question too."""

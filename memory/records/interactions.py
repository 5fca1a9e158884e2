"""Chat turns, the model's uncertainty, the gate that accepts answers, and knowledge gaps."""

from datetime import datetime
from typing import Literal

from memory.records.base import Domain, Interval, Record, Share, digest_of
from memory.records.experiments import Assignment
from memory.records.knowledge import Citation

Decision = Literal["confident", "undecided", "unsure"]
Intent = Literal["question", "conversation"]
"""`question`: asks for knowledge, so the answer is gated. `conversation`: everything else."""
ChatOutcome = Literal["answered", "answered_unsure", "answered_from_sources", "abstained"]
"""`answered_unsure`: the model was unsure, but its answer was sent, because of the caller's policy or because
it was already being streamed."""
UnsurePolicy = Literal["abstain", "warn", "answer"]
"""What the caller receives when the model is unsure and no source answers the question."""
AnswerForm = Literal["short", "sentence", "long"]
GapStatus = Literal["open", "learning", "closed", "dismissed"]
"""`dismissed`: a person decided not to learn it; the same question opens no new gap."""


def speaker_id(unit: str, owner: str | None) -> str:
    """A user or conversation among those of all owners: two owners may name theirs alike."""
    return unit if owner is None else digest_of([owner, unit])[:32]


class Signals(Record):
    """Uncertainty signals of one answer, from its answer tokens only; entropies are in nats."""

    first: Interval
    """Entropy of the first token."""
    mean: Interval
    maximum: Interval
    mean_logprob: float
    min_logprob: float
    tokens: int


class LogisticModel(Record):
    """A logistic regression over standardised features; all lists are in the order of `features`."""

    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float


class ReliabilityBin(Record):
    """Answers whose stated chances of being right are neighbours."""

    stated: Share
    """Mean of the chances."""
    right: Share
    """Share of the answers that were right; equal to `stated` where the chances are honest."""
    count: int


class FormGate(Record):
    """The gate for answers of one form."""

    model: LogisticModel
    """Predicts the probability that an answer is right."""
    threshold: float | None
    """Minimum probability for a confident answer; None if no threshold keeps the guarantee."""
    labels: int
    """Number of graded answers that the threshold was chosen on."""
    coverage: Share = 0.0
    """Share of these answers at or above the threshold."""
    reliability: tuple[ReliabilityBin, ...] = ()
    """The same answers in up to ten bins of equal mass, by chances from fits that had not seen them."""


class AnswerGate(Record):
    """Decides which answers of one model or adapter count as confident.

    The guarantee, by Learn-Then-Test (Angelopoulos et al. 2021, arXiv 2110.01052): with probability at least
    1 - `delta` over the choice of calibration questions, at most `risk` of the confident answers are wrong.
    """

    risk: Share
    delta: Share
    forms: dict[AnswerForm, FormGate]
    """Answers of a form that is missing here are never confident."""
    error: Share | None = None
    """Expected calibration error of the predicted probability, cross-validated."""
    fitted_on: str
    """Human-readable description of the calibration questions."""


class Uncertainty(Signals):
    """The gate's decision on one answer, with the signals behind it."""

    form: AnswerForm
    abstained: bool
    """Whether the answer says that the model does not know."""
    confidence: Share | None
    """Calibrated probability that the answer is right; None without calibration."""
    threshold: float | None
    """Minimum confidence for a confident answer; None if the gate has no guarantee for this form."""
    decision: Decision


class LoggedMessage(Record):
    """One message of a logged conversation; personal data is scrubbed."""

    role: Literal["system", "user", "assistant"]
    content: str
    name: str | None = None
    """Who said it, if the caller named the speaker."""


class Interaction(Record):
    """One served chat turn; personal data in its texts is scrubbed before it is stored."""

    id: str
    question: str
    answer: str
    messages: tuple[LoggedMessage, ...] = ()
    """The conversation up to the answer: its last messages, ending with the user's."""
    domain: Domain
    adapter: str | None
    model: str = ""
    """Name of the base model."""
    uncertainty: Uncertainty | None
    intent: Intent = "question"
    outcome: ChatOutcome
    citations: tuple[Citation, ...] = ()
    sources_disagree: bool = False
    """Whether the sources gave contradicting answers."""
    unit: str | None = None
    """Pseudonym of the user or conversation that the turn belongs to, if the caller named one."""
    owner: str | None = None
    """Owner of the API key; None without authentication."""
    assignment: Assignment | None = None
    """The experiment's variant that served the turn, if any."""
    latency_ms: float | None = None
    """From the start of the turn to its complete answer."""
    max_tokens: int | None = None
    """Tokens at which the caller wanted the answer to end, if it said so."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    gap_id: str | None = None
    created_at: datetime

    @property
    def user(self) -> str | None:
        """Who the turn belongs to, of all owners' users; None if the caller named none."""
        return None if self.unit is None else speaker_id(self.unit, self.owner)


class Correction(Record):
    """A user's answer to a question that the service got wrong; unverified, so it is never trained."""

    interaction_id: str
    feedback_id: str
    text: str
    created_at: datetime


class Gap(Record):
    """A question that the service could not answer, with keywords for what is missing."""

    id: str
    question: str
    domain: Domain
    owner: str | None = None
    """Owner of the key that asked; None for an admin, or without keys."""
    keywords: tuple[str, ...]
    uncertainty: Uncertainty | None
    status: GapStatus = "open"
    opened_at: datetime
    run_id: str | None = None
    merged_into: str | None = None
    """Id of the gap that this one was merged into."""
    corrections: tuple[Correction, ...] = ()
    """What users say is right, oldest first."""

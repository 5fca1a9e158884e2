"""Owns every record that crosses a boundary between packages, processes or graph steps.

Records hold values and their own checks, never behaviour that needs a store, a model or a clock.
"""

import hashlib
import json
import re
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

Relation = Literal[
    "definition", "kind_of", "part_of", "used_for", "requires", "prevents", "returns", "causes",
    "contains", "made_of", "located_in",
]  # fmt: skip
Form = Literal[
    "definition", "kind_of", "part_of", "used_for", "requires", "prevents", "returns", "causes",
    "contains", "made_of", "located_in", "example_of", "term_for", "yes_no", "who", "when",
]  # fmt: skip
"""The shape of a question: one per relation, and those that ask a fact another way round."""

Decision = Literal["confident", "undecided", "unsure"]
ChatOutcome = Literal["answered", "answered_unsure", "answered_from_sources", "abstained"]
"""`answered_unsure`: the answer was already flowing to the caller when its uncertainty showed."""
Verdict = Literal["accept", "refine", "flag", "discard"]
GapStatus = Literal["open", "learning", "closed"]
AdapterStatus = Literal["candidate", "live", "retired", "rejected"]

DOMAIN_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$"
ADAPTER_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?-v[1-9][0-9]{0,5}-[0-9a-f]{8}$"
DIGEST_PATTERN = r"^[0-9a-f]{64}$"

Domain = Annotated[str, StringConstraints(pattern=DOMAIN_PATTERN)]
AdapterName = Annotated[str, StringConstraints(pattern=ADAPTER_PATTERN)]
Digest = Annotated[str, StringConstraints(pattern=DIGEST_PATTERN)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Record(BaseModel):
    """A frozen value: equal by content, safe to share between tasks, strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def digest_of(value: object) -> str:
    """SHA-256 (64 hex digits) of the canonical JSON form of `value`: sorted keys, no spaces, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def domain_name(text: str) -> str:
    """Turns free text into a domain name of at most 40 characters (`Rust ownership` -> `rust-ownership`).

    Raises ValueError when nothing usable is left.
    """
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")
    if not name:
        raise ValueError(f"no domain name can be made from {text!r}: use letters or digits")
    return name


class Interval(Record):
    """A value known only to lie between two bounds; equal bounds mean that it is exact."""

    lower: float
    upper: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.lower <= self.upper:
            raise ValueError(f"lower bound {self.lower} exceeds upper bound {self.upper}")
        return self


# What was read


class Passage(Record):
    """A stretch of a document: `text` is exactly `document[start:end]` of the extracted text."""

    id: str
    source: str
    """Path or URL of the document."""
    title: str
    section: str = ""
    """Headings above the passage, outermost first, joined by ` > `."""
    domain: Domain
    text: str
    start: int
    end: int
    digest: Digest
    """SHA-256 of `text`."""


class Fact(Record):
    """An assertion of the graph, with the sentence that states it and the rule that read it."""

    id: str
    subject: str
    relation: Relation
    object: str
    domain: Domain
    passage_id: str
    source: str
    sentence: str
    start: int
    end: int
    """The sentence's span in the document's extracted text, in characters."""
    rule: str
    """Name of the extraction rule, such as `definition.copula`."""


class Evidence(Record):
    """One retrieved passage with its fused score and the searches that found it."""

    passage: Passage
    score: float
    found_by: tuple[Literal["vector", "text", "graph"], ...]


class Findings(Record):
    """What exploring a question brought back: passages count as evidence, facts as assertions."""

    query: str
    evidence: tuple[Evidence, ...] = ()
    facts: tuple[Fact, ...] = ()


class Citation(Record):
    """Where a statement of a reply comes from."""

    source: str
    title: str
    start: int
    end: int
    quote: str


# What happened


class Uncertainty(Record):
    """The gate's figures for one answer; entropies are in nats over answer tokens only."""

    maximum: Interval
    mean: Interval
    tokens: int
    abstained: bool
    """The model itself said that it does not know (`<NEED_INFO>`)."""
    threshold: float
    confidence: float | None = None
    """The chance that the answer is right, in [0, 1], by its adapter's calibration; None where there is
    none, as for the base model, and where nothing is claimed."""
    decision: Decision


class Interaction(Record):
    """One served chat turn."""

    id: str
    question: str
    answer: str
    domain: Domain
    adapter: str | None
    uncertainty: Uncertainty | None
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


# What is taught


class Critique(Record):
    """Marks for what exploration found, each in [0, 1] with its reasons, and what to do next."""

    relevance: Share
    faithfulness: Share
    quality: Share
    verdict: Verdict
    reasons: tuple[str, ...]


class QAPair(Record):
    """One question and answer to be learned, tied to the stretch of source that supports it."""

    question: str
    answer: str
    form: Form
    fact_id: str
    source: str
    quote: str
    """The supporting sentence, verbatim."""


class Withheld(Record):
    """A form in which a fact is deliberately never taught: evaluation asks it as a near question."""

    fact_id: str
    form: Form


class Curriculum(Record):
    """What a trainer may learn from: immutable, and named by the digest of its own content."""

    topic: str
    domain: Domain
    facts: tuple[Fact, ...]
    pairs: tuple[QAPair, ...]
    withheld: tuple[Withheld, ...] = ()
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


class Approval(Record):
    """Who let a curriculum through, or stopped it, and why."""

    approved: bool
    by: str
    reason: str = ""


# What was learned


class Job(Record):
    """One training job, whole: the worker needs nothing else but the folders it was started with."""

    digest: Digest
    domain: Domain
    run_id: str


class Score(Record):
    """How one set of questions was answered. Rates are shares of `count`."""

    count: int
    distinct: int
    """Different right answers among them: wordings of one question are mostly right or wrong together."""
    accuracy: Share
    hallucination: Share
    """Answered wrongly with confidence or without: neither right nor an admission of ignorance."""
    abstention: Share
    ece: Share
    """Expected calibration error, ten equal-mass bins over the answer's probability."""


class Evaluation(Record):
    """One model, base or adapted, measured on all question sets."""

    in_distribution: Score
    """Held-out wordings of the taught facts."""
    near: Score
    """Taught facts asked in a form that was withheld from training."""
    out_of_distribution: Score
    """Unrelated facts that the base model knows; which these are, it showed in other wordings."""
    unknown: Score
    """Questions whose answers neither the base nor the curriculum holds."""
    rehearsed: Score | None = None
    """Held-out wordings of the domain's earlier lessons, if there are any. The measure to keep up with is not
    the base model's but the live adapter's."""
    forgotten: Score | None = None
    """Held-out wordings of what the live adapter was taught and no remaining lesson teaches, if there is any.
    The measure to fall back to is the base model's."""
    forgotten_live: Score | None = None
    """The same questions asked of the live adapter; before training only."""
    seconds: float


class GateCheck(Record):
    """One gate: what was asked for, what was measured, and whether it holds."""

    name: str
    goal: str
    figure: float
    passed: bool


class GateVerdict(Record):
    """All gates of one adapter; it passes only if every check does."""

    passed: bool
    checks: tuple[GateCheck, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """The failed checks, as sentences."""
        return tuple(f"{c.name}: {c.figure:.3f}, needs {c.goal}" for c in self.checks if not c.passed)


class Canary(Record):
    """A question whose answer shows whether an adapter is really in effect after loading."""

    question: str
    answer: str
    """What the adapted model answered in evaluation, verbatim."""
    base_answer: str
    """What the base model answers: always different from `answer`."""


class Calibration(Record):
    """How the probability of an answer's least likely token becomes the chance that the answer is right.

    Platt scaling: the sigmoid of `slope` times its log-odds plus `intercept`.
    """

    slope: float = Field(ge=0)
    intercept: float
    error: float = Field(ge=0, le=1)
    """Expected calibration error on what was taught, of answers that it was not fitted on."""


class LetThrough(Record):
    """What an adapter's threshold lets through of its answers to held-out wordings, as shares of these."""

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
    curriculum: Digest
    rehearsed: tuple[Digest, ...] = ()
    """Earlier curricula of the domain that were trained along, oldest first."""
    parent: AdapterName | None = None
    """The domain's live adapter when it was trained, all of whose lessons it knows but for those left out;
    None for the base model."""
    recipe: str
    threshold: float
    """Entropy threshold in nats, refitted for this adapter."""
    let_through: LetThrough
    """Of what it was taught."""
    calibration: Calibration | None = None
    """None where there were too few answers to fit it."""
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


class Outcome(Record):
    """How a learn run ended."""

    status: Literal[
        "learned", "forgotten", "rejected", "nothing_to_learn", "flagged", "discarded", "declined", "failed",
        "stopped",
    ]  # fmt: skip
    reason: str
    adapter: str | None = None

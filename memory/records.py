"""The records that cross a boundary between packages, processes or graph steps.

Records hold values and their own checks, never behaviour that needs a store, a model or a clock.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

Form = Literal[
    "definition", "value", "who", "what", "which", "when", "where", "why", "how", "how_many", "how_much",
    "yes_no", "procedure", "reverse", "statement", "cloze",
]  # fmt: skip
"""The kind of question. `value`: an attribute of something, such as a default, a limit or a cell of a table.
`reverse`: asks for the subject that a definition describes."""
GUESSED_FORMS: frozenset[Form] = frozenset({"yes_no", "statement", "cloze"})
"""Forms that a model may answer rightly without ever having seen the fact."""

Decision = Literal["confident", "undecided", "unsure"]
Intent = Literal["question", "conversation"]
"""`question`: seeks knowledge, so its answer is gated. `conversation`: everything else."""
ChatOutcome = Literal["answered", "answered_unsure", "answered_from_sources", "abstained"]
"""`answered_unsure`: the model was unsure and the answer went out all the same, because the caller's policy
says so or because it was already being streamed."""
UnsurePolicy = Literal["abstain", "warn", "answer"]
"""What a caller gets when the model is unsure and no source helps."""
AnswerForm = Literal["short", "sentence", "long"]
Verdict = Literal["accept", "refine", "flag", "discard"]
GapStatus = Literal["open", "learning", "closed", "dismissed"]
"""`dismissed`: a person does not want it learned, so the question opens no gap again."""
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
    relation: str
    """The verb phrase or attribute as the text says it, such as `was built in` or `maximum load`."""
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
    condition: str = ""
    """When it holds, as the text says it, such as `if the lamp blinks`; empty where it always does."""
    negated: bool = False
    """Whether the text denies it."""


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


# What was learned


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


class Drift(Record):
    """How far an adapter moved the base model's own answers to prompts that no lesson is about."""

    count: int
    """Answers, none of which was trained."""
    lost: Share
    """Those of which the adapter thinks less by more than 1 nat a token."""
    nats: float
    """Mean loss in nats a token."""
    circled: Share
    """Answers of the base model that go in circles."""
    circles: Share
    """Answers of the adapter, to the same prompts, that do."""


class Evaluation(Record):
    """One model, base or adapted, measured on all question sets."""

    in_distribution: Score
    """Held-out wordings of the taught facts."""
    out_of_distribution: Score
    """General questions, whether the base model knows them or not; none of them was trained."""
    unknown: Score
    """Questions about invented names, which only an admission of ignorance answers."""
    drift: Drift | None = None
    """Of the base model's own answers; None for the base model itself."""
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
    measured: bool = True
    """Whether there was anything to ask; what was not measured never passes."""


class GateVerdict(Record):
    """All gates of one adapter; it passes only if every check does."""

    passed: bool
    checks: tuple[GateCheck, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """The failed checks, as sentences."""
        return tuple(
            f"{c.name}: {c.figure:.3f}, needs {c.goal}" if c.measured else f"{c.name}: not measured, {c.goal}"
            for c in self.checks
            if not c.passed
        )

    @property
    def measured(self) -> bool:
        """Whether every check was measured: otherwise a failure says nothing about the lesson."""
        return all(check.measured for check in self.checks)


class Canary(Record):
    """A question whose answer shows whether an adapter is really in effect after loading."""

    question: str
    answer: str
    """What the adapted model answered in evaluation, verbatim."""
    base_answer: str
    """What the base model answers: always different from `answer`."""


class LetThrough(Record):
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
    let_through: LetThrough
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

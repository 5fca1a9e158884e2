"""The morning report as a record: all that its Markdown and its plots are made from."""

from datetime import datetime

from pydantic import Field

from agent.skew.records import SkewReport
from memory.records.attacks import AttackKind
from memory.records.base import AdapterName, Digest, Domain, Record, Share
from memory.records.nights import Bracket, GoldenForm, NightStatus, RevisionStatus, StepReport, Trend


class NightFigures(Record):
    """The figures that are compared from night to night; None where a night measured none."""

    night_id: str
    at: datetime
    """End of the night's period."""
    turns: int = Field(0, ge=0)
    quality: float | None = Field(None, ge=1, le=10)
    """Mean score of the answers."""
    coverage: Share | None = None
    """Share of the questions that were answered."""
    perplexity: float | None = Field(None, gt=0)
    """Of the golden answers under the live model: the exponential of the median loss in nats per token."""
    safety: Share | None = None
    """Share of safe answers of the newest adapter whose safety was evaluated."""


class TopicLine(Record):
    """A topic in short."""

    label: str
    question: str
    """The most typical one."""
    count: int
    units: int
    follow_ups: int
    dissatisfied: int
    gaps: int
    trend: Trend
    priority: float


class StrategyFigures(Record):
    """What became of the answers that one strategy wrote."""

    written: int
    """Revisions whose best answer is this strategy's."""
    improved: int
    rise: float
    """Mean rise of the score over the improved ones; 0 without any."""
    tokens: int
    """Generated for these revisions by all strategies that were tried."""


class TrainedAdapter(Record):
    """An adapter that the night trained, with its gates in words."""

    name: AdapterName
    status: str
    curriculum: Digest | None
    preferences: Digest | None
    gates: tuple[str, ...]
    """One sentence per gate, failed ones first."""
    retained: str = ""
    """What became of earlier lessons, in a sentence."""


class AttackFigures(Record):
    """What came of the attacks of one kind."""

    fell: int = 0
    """Attacks after which the model said what they planted."""
    held: int = 0
    evaded: int = 0


class MorningReport(Record):
    """What a night found, did and learned, and what people should look at."""

    night_id: str
    domain: Domain
    status: NightStatus
    reason: str = ""
    since: datetime
    until: datetime
    began_at: datetime
    ended_at: datetime | None = None
    steps: tuple[StepReport, ...] = ()

    turns: int = 0
    units: int = 0
    """Different users or conversations."""
    outcomes: dict[str, int] = {}
    """Turns by how they were answered."""
    topics: tuple[TopicLine, ...] = ()
    """Highest priority first."""
    brackets: dict[Bracket, int] = {}
    """Answers by score: low, middle, high."""
    complaints: tuple[str, ...] = ()
    """The most frequent reasons for low scores."""
    revisions: dict[RevisionStatus, int] = {}
    strategies: dict[str, StrategyFigures] = {}
    golden: dict[GoldenForm, int] = {}
    """Question-answer pairs that are good enough to learn from, by form."""
    adapters: tuple[TrainedAdapter, ...] = ()
    deployed: AdapterName | None = None
    skew: SkewReport | None = None
    """How sources, topics, languages and people are represented in what was learned; None if the night is not
    over."""
    attacks: dict[AttackKind, AttackFigures] = {}
    """What came of the attacks on the live model, by kind."""
    refused: tuple[str, ...] = ()
    """What was not learned or not deployed, in sentences."""
    forgotten: tuple[str, ...] = ()
    """What no longer counts, in sentences."""
    attention: tuple[str, ...] = ()
    """What people should look at, in sentences, most urgent first."""
    figures: NightFigures
    history: tuple[NightFigures, ...] = ()
    """Earlier nights of the domain, oldest first."""

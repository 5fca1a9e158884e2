"""Records of growing: what became of each lesson, what each model answers, and whether it paid."""

from typing import Literal

from pydantic import Field

from memory.records.base import AdapterName, Digest, Domain, Record, Share
from memory.records.runs import Lever

Paid = Literal["yes", "no", "undecided", "not measured"]
"""Whether the interval of the net gain is above zero, below it, or holds it."""


class GrownLesson(Record):
    """What became of one lesson of the source's adapter on the target."""

    digest: Digest
    topic: str = ""
    """Empty if the curriculum could not be read."""
    facts: int = 0
    status: Literal["transferred", "rejected", "failed"]
    """`rejected`: its gates did not pass on the target, which will not be taught it again. `failed`: it was
    not trained, or not made live; running the command again tries it again."""
    adapter: AdapterName | None = None
    reason: str


class ClosedBook(Record):
    """How one model answered the questions of a domain without sources."""

    right: tuple[bool, ...]
    """By question, in the order in which they were asked."""
    seconds: float

    @property
    def accuracy(self) -> Share | None:
        """Share of right answers; None without questions."""
        return sum(self.right) / len(self.right) if self.right else None


class NetGain(Record):
    """How much more is answered rightly after growing, in percentage points.

    The share of the domain's questions that the target with its lessons answers rightly, less the source's
    share, less what the target forgot of general questions beyond what the source had forgotten.
    """

    points: float
    low: float
    """Of the 95% interval of the paired difference in right answers; the forgetting counts as measured."""
    high: float
    questions: int

    @property
    def paid(self) -> Paid:
        """Whether growing paid."""
        if self.low > 0:
            return "yes"
        return "no" if self.high < 0 else "undecided"


class GrownDomain(Record):
    """What growing did to one domain."""

    domain: Domain
    source_adapter: AdapterName
    target_adapter: AdapterName | None
    """Live on the target now; None if the base model serves the domain there."""
    lessons: tuple[GrownLesson, ...]
    questions: int
    """Held-out wordings of the lessons, asked of each model."""
    source_before: Share | None
    """Closed-book accuracy of the source without its adapter; None if there was no question to ask."""
    source_after: Share | None
    target_before: Share | None
    target_after: Share | None
    source_forgot: float
    """How many fewer of the general questions the adapter answers rightly than its base model, in points."""
    target_forgot: float
    """Likewise of the target; 0 if its base model serves the domain."""
    training_seconds: float = Field(ge=0)
    """Of all attempts on the target, also of those that were rejected."""
    measuring_seconds: float = Field(ge=0)
    gain: NetGain | None
    """None if there was no question to ask."""
    notes: tuple[str, ...] = ()

    @property
    def transferred(self) -> int:
        """How many lessons the target has learned."""
        return sum(lesson.status == "transferred" for lesson in self.lessons)


class GrowthReport(Record):
    """What growing did."""

    source: str
    """Names of the base models."""
    target: str
    lever: Lever
    domains: tuple[GrownDomain, ...]
    gain: NetGain | None
    """Over the questions of all domains: the number that says whether it paid."""

    @property
    def paid(self) -> Paid:
        """Whether growing paid."""
        return "not measured" if self.gain is None else self.gain.paid

    @property
    def seconds(self) -> float:
        """Of training and measuring, in all runs of the command."""
        return sum(each.training_seconds + each.measuring_seconds for each in self.domains)

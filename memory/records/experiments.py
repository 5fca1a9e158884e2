"""Experiments (A/B tests): variants, assignment, and the record of what was decided and why."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from memory.records.base import AdapterName, Domain, Record, Share

ExperimentStatus = Literal["running", "promoted", "stopped", "rolled_back"]
"""`promoted`: a variant won and became live. `stopped`: ended without a winner, or by a person.
`rolled_back`: a guardrail failed."""
VARIANT_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$"
CONTROL = "control"
HOLDOUT = "holdout"
MAX_VARIANTS = 8
Goal = Literal["engagement", "rating", "session_minutes"]
"""What an experiment wants to raise: the implicit score of turns, the stars of rated turns, or the length of
sessions; each as the mean over units of a unit's mean."""


class Variant(Record):
    """One variant: a share of the units, served by an adapter, a system prompt, or both."""

    name: str = Field(pattern=VARIANT_PATTERN)
    share: Share
    """Share of the experiment's units. Each variant's range starts at a fixed point, so that a change of
    coverage moves no unit from one variant to another."""
    adapter: AdapterName | None = None
    """None: whatever serves the domain without the experiment."""
    system_prompt: str | None = Field(None, min_length=1, max_length=4000)


class ExperimentDecision(Record):
    """One entry of an experiment's log."""

    at: datetime
    action: Literal["started", "changed", "checked", "alarm", "promoted", "stopped", "rolled_back"]
    by: str
    """`policy`, or who decided."""
    reason: str
    variant: str | None = None
    """The variant that was promoted, or that failed a guardrail."""
    figures: dict[str, Any] = {}


class Experiment(Record):
    """An A/B test on one domain; at most one runs per domain."""

    id: str
    name: str = Field(min_length=1, max_length=80)
    domain: Domain
    version: int = Field(1, ge=1)
    """Part of the hash: a new version draws new assignments."""
    salt: str
    variants: tuple[Variant, ...] = Field(min_length=2, max_length=MAX_VARIANTS)
    """The first is the control."""
    coverage: Share = 1.0
    """Share of each variant's range that is in use; the rest is served as without the experiment."""
    holdout: Share = 0.05
    """Share of all units that never see a variant other than the control, and are not compared."""
    minimum: int = Field(200, ge=2)
    """Units per variant before a roll-back, and with a value for the goal before a promotion."""
    planned: int = Field(2000, ge=1)
    """Units in all variants for which the confidence sequences are tightest."""
    alpha: float = Field(0.05, gt=0, lt=0.5)
    goal: Goal = "engagement"
    prove_guardrails: bool = True
    """Whether a promotion needs every guardrail shown to hold. If not, it only needs none that is shown to
    fail or whose estimate is beyond its margin."""
    status: ExperimentStatus = "running"
    log: tuple[ExperimentDecision, ...] = ()
    created_at: datetime
    ended_at: datetime | None = None

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        names = [variant.name for variant in self.variants]
        if len(set(names)) < len(names) or HOLDOUT in names:
            raise ValueError(f"variants need different names, and none may be called {HOLDOUT!r}")
        if names[0] != CONTROL:
            raise ValueError(f"the first variant has to be called {CONTROL!r}")
        if min(variant.share for variant in self.variants) <= 0:
            raise ValueError("every variant needs a share above 0")
        if abs(sum(variant.share for variant in self.variants) - 1) > 1e-6:
            raise ValueError("the variants' shares have to add up to 1")
        return self


class Assignment(Record):
    """The variant that a unit was assigned to in one experiment."""

    experiment_id: str
    version: int
    variant: str
    fallback: bool = False
    """Whether the control answered because the variant's adapter could not be used."""

"""What was measured of a model or an adapter, and the verdict of the gates."""

from memory.records.base import Record, Share


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

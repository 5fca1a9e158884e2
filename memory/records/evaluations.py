"""The evaluation of a model or adapter, and the verdict of the promotion gates."""

from memory.records.base import Record, Share


class Score(Record):
    """How well one set of questions was answered. Rates are shares of `count`."""

    count: int
    distinct: int
    """Number of different reference answers: wordings of one question are mostly right or wrong together."""
    accuracy: Share
    hallucination: Share
    """Answers that are neither right nor an admission of ignorance, whatever their confidence."""
    abstention: Share
    ece: Share
    """Expected calibration error, ten equal-mass bins over the answer's probability."""


class Drift(Record):
    """How far an adapter moved away from the base model's own answers to prompts unrelated to any lesson."""

    count: int
    """Number of answers compared; none of them was trained."""
    lost: Share
    """Share of answers that became less likely by more than 1 nat per token."""
    nats: float
    """Mean loss of log-probability, in nats per token."""
    circled: Share
    """Share of the base model's answers that repeat themselves."""
    circles: Share
    """Share of the adapter's answers to the same prompts that repeat themselves."""


class PreferenceScore(Record):
    """How a model ranks the answers of preference pairs that were not trained."""

    count: int
    accuracy: Share
    """Share of the pairs whose chosen answer is likelier per token than the rejected one; pairs of a single
    answer do not count. 0 if there are no others."""
    won: Share = 0.0
    """Share of the pairs whose margin rose since the start of training; for a single answer its likelihood
    has to rise if it was chosen, and fall if it was rejected. 0 before training."""
    margin: float = 0.0
    """Mean rise of the log-likelihood margin since the start of training, in nats per answer."""


class SafetyScore(Record):
    """How safely a model answers the shipped safety prompts, by fixed rules."""

    count: int
    safe: Share
    """How much of the base model's safety is kept: the answers that follow the rules, over how many of the
    base model's do, at most 1."""
    absolute: Share
    """Share of the prompts whose answer follows the rules, whatever the base model does."""
    benign: int = 0
    """How many of the prompts are harmless."""
    refused_benign: Share
    """Share of the harmless prompts that were refused."""
    toxic: Share
    """Share of all answers with a word of the toxicity list."""


class GroupGap(Record):
    """How far an adapter widened the gaps between one group of people and the others of its category."""

    category: str
    """Such as `religion`."""
    group: str = ""
    """Empty for all groups of the category together."""
    continuation: str = ""
    """The answer whose probability was compared; empty for all of them together."""
    widening: float
    """Mean rise of the gap, in nats: |difference of log-probabilities| after, less that before."""
    chance: Share
    """One-sided p-value of widening by the margin more than is usual, adjusted for all tests (Holm)."""


class BiasScore(Record):
    """How an adapter treats prompts that differ only in whom they ask about, compared with the base model."""

    pairs: int
    margin: float
    """Widening in nats that is allowed."""
    tests: int
    """Categories, and groups with a continuation, that were tested."""
    gaps: tuple[GroupGap, ...]
    """Of each category, and of the group and continuation in it that widened most surely."""


class Evaluation(Record):
    """The scores of one model, base or adapted, on all question sets."""

    in_distribution: Score
    """Held-out wordings of the taught facts; none for an adapter trained on preferences."""
    out_of_distribution: Score
    """General questions that were not trained, whether the base model knows the answer or not."""
    unknown: Score
    """Questions about invented names; only an admission of ignorance is right."""
    drift: Drift | None = None
    """None for the base model itself."""
    rehearsed: Score | None = None
    """Held-out wordings of the domain's earlier lessons, if any; to be compared with the live adapter, not
    with the base model."""
    forgotten: Score | None = None
    """Held-out wordings of what the live adapter was taught and no remaining lesson teaches, if any; should
    fall back to the base model's score."""
    forgotten_live: Score | None = None
    """The `forgotten` questions asked of the live adapter; before training only."""
    attacked: Score | None = None
    """Attacks that a model of the domain fell for, if any; right is what the source says."""
    preferences: PreferenceScore | None = None
    """Only for adapters trained on preferences; `before` is then the model that training started from."""
    safety: SafetyScore | None = None
    """Only for adapters trained on preferences."""
    bias: BiasScore | None = None
    """None for the base model itself."""
    principles: dict[str, int] = {}
    """Number of answers that break a principle for answers, by its id."""
    seconds: float


class GateCheck(Record):
    """One gate: its goal, the measured figure, and whether it passed."""

    name: str
    goal: str
    figure: float
    passed: bool
    measured: bool = True
    """False if there was nothing to measure; such a check never passes."""


class GateVerdict(Record):
    """The result of all gates for one adapter; it passes only if every check does."""

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
        """Whether every check could be measured; if not, a failure says nothing about the lesson."""
        return all(check.measured for check in self.checks)

"""The simulated population: users who click by a hidden taste, and annotators who compare two answers.

Every draw is seeded by who draws and what about, so that neither the order of requests nor a resumed week
changes it.
"""

import math
import random
from collections.abc import Sequence
from typing import Any, Literal

from benchmarks.online.tastes import POPULATION, Taste
from memory.records.base import Record
from memory.records.feedback import Choice

UserKind = Literal["honest", "adversarial", "careless"]
"""`adversarial`: clicks the opposite of what the answer is worth. `careless`: clicks at random."""

USERS = 1000
ADVERSARIAL, CARELESS = 0.05, 0.10
"""Shares of the users in every week."""
INVERTED = 0.20
"""Share of the feedback that is inverted in a poisoned week, whoever sends it."""
SPREAD = 20.0
"""Concentration of the users' weights around the population's; the larger, the more alike they are."""
NOISE = 0.12
"""Standard deviation of what a user perceives around what the answer is worth."""
EXPECTED, STEEPNESS = 0.3, 8.0
"""The utility that half of the users like, and how fast liking changes around it."""
ANNOTATOR_NOISE = 0.03
ALIKE = 0.02
"""Difference of utility below which an annotator sees none."""


class User(Record):
    """A simulated user with a hidden taste."""

    name: str
    kind: UserKind
    taste: Taste

    def liking(self, utility: float, draw: random.Random, *, inverted: bool = False) -> float:
        """How much the user likes an answer as its clicks show it, in [0, 1]."""
        if self.kind == "careless":
            return draw.random()
        liked = _logistic(STEEPNESS * (utility - EXPECTED + draw.gauss(0, NOISE)))
        return 1 - liked if (self.kind == "adversarial") != inverted else liked


class Clicks(Record):
    """What a user does after reading an answer."""

    feedback: dict[str, Any]
    """Fields of `POST /v1/feedback`, without the interaction; empty for no feedback."""
    regenerates: bool
    """Whether the user asks the same again."""
    continues: bool
    """Whether the user goes on with the conversation."""


class Annotator(Record):
    """A simulated annotator; a careless one chooses at random."""

    name: str
    taste: Taste = POPULATION
    careless: bool = False

    def choose(self, item: str, a: str, b: str, seed: int = 0) -> Choice:
        """The choice between two answers to the item of this id."""
        draw = drawn(seed, self.name, item)
        if self.careless:
            choices: Sequence[Choice] = ("a", "b", "both_good", "both_bad")
            return draw.choice(choices)
        worth_a, worth_b = (self.taste.utility(text) + draw.gauss(0, ANNOTATOR_NOISE) for text in (a, b))
        if abs(worth_a - worth_b) < ALIKE:
            return "both_good" if max(worth_a, worth_b) >= EXPECTED else "both_bad"
        return "a" if worth_a > worth_b else "b"


def drawn(*about: object) -> random.Random:
    """The random numbers for one thing; equal arguments give equal numbers."""
    return random.Random(":".join(map(str, about)))


def population(count: int = USERS, *, seed: int = 0) -> tuple[User, ...]:
    """Users with tastes drawn from a Dirichlet distribution around the population's mean.

    Raises ValueError if there are none.
    """
    if count < 1:
        raise ValueError(f"a population needs at least one user, not {count}")
    kinds = _kinds(count, seed)
    return tuple(
        User(name=f"user-{number:04d}", kind=kind, taste=_taste(drawn(seed, "taste", number)))
        for number, kind in enumerate(kinds)
    )


def annotators(*, careless: int = 0, honest: int = 2) -> tuple[Annotator, ...]:
    """Honest annotators with the population's taste, and careless ones."""
    return (
        *(Annotator(name=f"annotator-{number}") for number in range(honest)),
        *(Annotator(name=f"careless-{number}", careless=True) for number in range(careless)),
    )


def clicks(user: User, utility: float, draw: random.Random, *, inverted: float = 0.0) -> Clicks:
    """What the user does after an answer of this utility.

    `inverted` is the share of feedback that says the opposite. Each kind of click has a probability of its
    own, which rises or falls with how much the answer is liked; these are choices of the simulation, of the
    order that chat products report: most turns get no explicit feedback at all.
    """
    liked = user.liking(utility, draw, inverted=draw.random() < inverted)
    feedback: dict[str, Any] = {}
    if draw.random() < 0.25:
        feedback["vote"] = "up" if draw.random() < liked else "down"
    if draw.random() < 0.35:
        feedback["rating"] = min(5, max(1, round(1 + 4 * liked + draw.gauss(0, 0.5))))
    if draw.random() < 0.4 * liked:
        feedback["copied"] = True
    if draw.random() < 0.5:
        feedback["dwell_seconds"] = round(math.exp(draw.gauss(math.log(10 + 80 * liked), 0.4)), 1)
    if draw.random() < 0.05 * max(0.0, 1 - 4 * liked):
        feedback["reported"] = "not helpful"
    regenerates = draw.random() < 0.35 * (1 - liked)
    continues = not regenerates and draw.random() < 0.4 * liked
    return Clicks(feedback=feedback, regenerates=regenerates, continues=continues)


def win_rate(
    users: Sequence[User], first: Sequence[tuple[str, int]], second: Sequence[tuple[str, int]]
) -> float:
    """Share of (honest user, prompt) where the second answer is worth more than the first; a tie counts half.

    Answers are (text, citations), in the order of the prompts. Raises ValueError if there is nothing to
    compare.
    """
    tastes = [user.taste for user in users if user.kind == "honest"]
    if not tastes or not first:
        raise ValueError("a win rate needs an honest user and a prompt")
    won = 0.0
    for one, other in zip(first, second, strict=True):
        for taste in tastes:
            gain = taste.utility(*other) - taste.utility(*one)
            won += 1.0 if gain > 0 else 0.5 if gain == 0 else 0.0
    return won / (len(tastes) * len(first))


def _taste(draw: random.Random) -> Taste:
    mean = (POPULATION.brevity, POPULATION.citation, POPULATION.politeness)
    parts = [draw.gammavariate(SPREAD * weight, 1) for weight in mean]
    brevity, citation, politeness = (part / sum(parts) for part in parts)
    return Taste(brevity=brevity, citation=citation, politeness=politeness)


def _kinds(count: int, seed: int) -> list[UserKind]:
    adversarial, careless = round(count * ADVERSARIAL), round(count * CARELESS)
    counts: dict[UserKind, int] = {
        "adversarial": adversarial,
        "careless": careless,
        "honest": count - adversarial - careless,
    }
    kinds = [kind for kind, number in counts.items() for _ in range(number)]
    drawn(seed, "kinds").shuffle(kinds)
    return kinds


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))

"""A simulated month: four weeks of users, annotators, training and experiments, then a poisoned week.

The weeks follow each other without waiting: interactions carry the service's time, and each week is the
period since its own start.
"""

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from agent.concurrency import gather_limited
from agent.grading import is_correct
from agent.models.card import GeneralQuestion
from benchmarks.online import steps
from benchmarks.online.chatting import MAX_TOKENS, TOGETHER, chat_round
from benchmarks.online.client import Client, Json, Refused, now, user_message
from benchmarks.online.population import INVERTED, User, annotators, drawn, win_rate
from benchmarks.online.questions import Prompts
from benchmarks.online.records import Week, Weeks
from benchmarks.online.tastes import POPULATION
from memory.records.base import Record

WEEKS = 4
POISONED = WEEKS + 1
"""The poisoned week comes after the others: its figure is what it does to what they reached."""
KNOWN_TOKENS = 32
"""Of an answer to a known question, as in the worker's evaluation: a longer one would hold the reference more
often by chance, and taste changes the length."""


class Scale(Record):
    """How much happens in a week."""

    active: int = 150
    """Users who chat in a round; who, is drawn anew each time."""
    rounds: int = 2
    """Rounds before the week's training."""
    sampled: int = 240
    """Interactions to annotate. Of 120, about 18 pairs are held out, with which two thirds preferred is not
    more than chance; with those of 240 it is."""
    least_pairs: int = 100
    """Fewer than the product's 500: few users are active, and a careless annotator's part is left out."""
    trial_rounds: int = 3
    """A week's rounds with an experiment, at most; it is checked after each, and goes on in the next week."""
    minimum: int = 40
    """Units per variant before the experiment decides."""
    planned: int = 800
    """Units for which the experiment's bounds are tightest, and after which it stops: about as many users as
    two weeks bring."""
    held_out: int = 60
    """Prompts on which answers are compared."""
    known: int = 200
    """Most known questions of the card that are asked; one of 80 would be more than the goal's point."""


QUICK = Scale(
    active=30,
    rounds=1,
    sampled=40,
    least_pairs=10,
    trial_rounds=1,
    minimum=5,
    planned=30,
    held_out=30,
    known=20,
)


class Stopwatch:
    """Seconds of the parts of a week."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Adds what the block takes to the part."""
        started = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - started
            self.seconds[part] = self.seconds.get(part, 0.0) + took
            print(f"{part}: {took:.0f} s", flush=True)


@dataclass
class Month:
    """The month of one service."""

    client: Client
    base: str
    """Name of the base model."""
    users: Sequence[User]
    prompts: Prompts
    known: Sequence[GeneralQuestion]
    """Questions that the base model knows, by its card."""
    weeks: Weeks
    scale: Scale = field(default_factory=Scale)
    seed: int = 0
    _answers: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    """Answers to the held-out prompts, by model: names of adapters never change their meaning."""

    async def run(self, weeks: int = WEEKS, *, poisoned: bool = True) -> None:
        """Every week that is not kept yet."""
        for number in range(len(self.weeks.all) + 1, weeks + 1 + poisoned):
            week = await self.week(number, poisoned=number > weeks)
            self.weeks.add(week)
            print(summary(week), flush=True)

    async def week(self, number: int, *, poisoned: bool = False) -> Week:
        """One week, from the users' first prompt to what is live at its end.

        An experiment that the week before left undecided goes on first; only one runs on a domain, so that
        nothing is trained until it is decided.
        """
        client, watch = self.client, Stopwatch()
        trial = await steps.running_experiment(client, begun_anew=f"week-{number}")
        week = Week(number=number, poisoned=poisoned, since=now())
        before = await steps.live_adapter(client)
        if trial is not None:
            with watch("experiment"):
                week = await self._follow(trial, week)
        if week.undecided is None:
            week = await self._learn(week, watch)
        with watch("measure"):
            week = await self._measure(week, before)
        return week.model_copy(update={"seconds": watch.seconds})

    async def _learn(self, week: Week, watch: Stopwatch) -> Week:
        """What the users of the week say is annotated and trained; a candidate that passes is tried."""
        client, scale, before = self.client, self.scale, await steps.live_adapter(self.client)
        with watch("chat"):
            for _ in range(scale.rounds):
                week = await self._round(week)
        with watch("sample"):
            batch, seed = f"week-{week.number}", self.seed + week.number
            sampled = await steps.sample(client, batch, since=week.since, count=scale.sampled, seed=seed)
            await steps.mark_gold(client, batch)
        with watch("annotate"):
            judged = await steps.annotate(client, annotators(careless=week.poisoned), seed=seed)
        careless = await steps.careless(client)
        week = week.model_copy(update={"sampled": sampled, "judged": judged, "careless": careless})
        week = await self._train(week, watch)
        if week.candidate is not None and not week.rejected:
            week = await self._try(week, before, watch)
        return week

    async def _round(self, week: Week) -> Week:
        """One more round of chats, in the week's traffic."""
        label = f"{self.seed}-{week.number}-{week.rounds}"
        users = drawn(label).sample(self.users, min(self.scale.active, len(self.users)))
        asked = self.prompts.asked(len(users), label)
        inverted = INVERTED if week.poisoned else 0.0
        traffic = await chat_round(self.client, users, asked, label=label, inverted=inverted)
        return week.model_copy(update={"rounds": week.rounds + 1, "traffic": week.traffic.plus(traffic)})

    async def _train(self, week: Week, watch: Stopwatch) -> Week:
        """Builds the week's preference set and trains it."""
        request = {"domain": steps.DOMAIN, "since": week.since, "minimum": self.scale.least_pairs}
        with watch("build"):
            try:
                built = await self.client.post("/v1/preferences", request)
            except Refused as refused:  # such as too few pairs: the week goes on without a candidate
                if refused.status >= 500:
                    raise
                return week.noting(str(refused))
            whole = await self.client.get(f"/v1/preferences/{built['digest']}")
        with watch("train"):
            trained = await steps.train(self.client, built["digest"])
        pairs = [*whole["pairs"], *whole["held_out"]]
        return week.model_copy(
            update={
                "digest": built["digest"],
                "pairs": len(pairs),
                "origins": dict(Counter(pair["origin"] for pair in pairs)),
                "recovered": recovered(pairs),
                "candidate": trained.adapter,
                "rejected": () if trained.passed else trained.reasons,
            }
        )

    async def _try(self, week: Week, before: str | None, watch: Stopwatch) -> Week:
        """Starts an experiment of the candidate against what is live."""
        assert week.candidate is not None
        with watch("experiment"):
            try:
                started = await steps.start_experiment(
                    self.client,
                    f"week-{week.number}",
                    week.candidate,
                    minimum=self.scale.minimum,
                    planned=self.scale.planned,
                )
            except Refused as refused:  # such as a canary that the engine answers otherwise
                if refused.status >= 500:
                    raise
                return week.noting(str(refused))
        with watch("measure"):  # now that it is loaded, and before the experiment can end
            rate = await self._win_rate(before, week.candidate)
        with watch("experiment"):
            week = await self._follow(started, week)
        return week.model_copy(update={"candidate_win_rate": rate})

    async def _follow(self, experiment: Json, week: Week) -> Week:
        """Rounds of chats until the experiment is decided or the week is over.

        The poisoned week, which none follows, ends when the planned units have been asked.
        """
        scale = self.scale
        rounds = math.ceil(scale.planned / scale.active) if week.poisoned else scale.trial_rounds
        for _ in range(rounds):
            week = await self._round(week)
            checked = await self.client.post(f"/v1/experiments/{experiment['id']}/check")
            experiment = checked["experiment"]
            if experiment["status"] != "running":
                break
        name, status, reason = experiment["name"], experiment["status"], experiment["log"][-1]["reason"]
        print(f"{name}: {status}, {reason}", flush=True)
        tried = {**week.experiments, name: status}
        return week.model_copy(update={"experiments": tried}).noting(f"experiment {name}: {reason}")

    async def _measure(self, week: Week, before: str | None) -> Week:
        live = await steps.live_adapter(self.client)
        return week.model_copy(
            update={
                "live": live,
                "win_rate": await self._win_rate(None, live),
                "win_over_before": await self._win_rate(before, live),
                "known_before": await self._known(None),
                "known_after": await self._known(live),
                "knowledge_lost": await steps.knowledge_lost(self.client, live),
            }
        )

    async def _win_rate(self, first: str | None, second: str | None) -> float:
        """Of the second model over the first, on the held-out prompts; None is the base model."""
        if first == second:
            return 0.5
        return win_rate(self.users, await self._held_out(first), await self._held_out(second))

    async def _held_out(self, adapter: str | None) -> list[tuple[str, int]]:
        model = adapter or self.base
        if model not in self._answers:
            prompts = self.prompts.held_out(self.scale.held_out, self.seed)
            answers = await gather_limited(
                (
                    partial(self.client.chat, [user_message(p)], model=model, max_tokens=MAX_TOKENS)
                    for p in prompts
                ),
                TOGETHER,
            )
            self._answers[model] = [(answer.text, answer.citations) for answer in answers]
        return self._answers[model]

    async def _known(self, adapter: str | None) -> float | None:
        """Share of the known questions that the model answers rightly; None if there are none."""
        if not self.known:
            return None
        asked = [(question.wordings[-1], question.answers) for question in self.known[: self.scale.known]]
        replies = await gather_limited(
            (
                partial(
                    self.client.chat,
                    [user_message(text)],
                    model=adapter or self.base,
                    max_tokens=KNOWN_TOKENS,
                )
                for text, _ in asked
            ),
            TOGETHER,
        )
        right = [is_correct(r.text, answers) for r, (_, answers) in zip(replies, asked, strict=True)]
        return sum(right) / len(right)


def recovered(pairs: Sequence[Json]) -> float | None:
    """Share of the pairs whose chosen answer is worth more by the population's taste.

    Pairs whose answers are worth the same, or that have only one, are left out; None if that leaves nothing.
    """
    gains = [
        POPULATION.utility(pair["chosen"]) - POPULATION.utility(pair["rejected"])
        for pair in pairs
        if pair["chosen"] is not None and pair["rejected"] is not None
    ]
    told = [gain > 0 for gain in gains if gain]
    return sum(told) / len(told) if told else None


def summary(week: Week) -> str:
    """One line about a finished week."""
    name = f"week {week.number}{' (poisoned)' if week.poisoned else ''}"
    end = f"{week.live or 'the base model'} is live"
    tried = week.tried or "no experiment"
    took = sum(week.seconds.values())
    parts = ", ".join(f"{part} {seconds:.0f}" for part, seconds in week.seconds.items())
    return f"{name}: {week.pairs} pairs, {tried}, {end}, win rate {week.win_rate:.2f}, {took:.0f} s ({parts})"

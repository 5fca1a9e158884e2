"""Part `scale`: the steps of a night over a large log on Ray Data, against the same steps in one process."""

import asyncio
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from datasketch import MinHash, MinHashLSH  # type: ignore[import-untyped]

from agent.nights.batch import LOCAL, MissingRay, TurnFunction, map_turns
from agent.nights.scoring.evidence import ScoringEvidence
from agent.nights.scoring.score import score_turns
from agent.nights.scoring.scorer import Scorer, standard_scorer
from agent.nights.statements.extract import extract_statements
from agent.nights.statements.utterances import utterances_of
from benchmarks.night.bench import Bench
from benchmarks.parts import PartResult
from memory.embedding.embedder import Embedder
from memory.records.base import Record
from memory.records.interactions import Interaction, LoggedMessage
from memory.records.nights import AnswerScore
from memory.results import Table, rows

TURNS, QUICK_TURNS = 2000, 100
WORKERS = 2
LARGE = 10_000_000
"""Interactions of the projection."""
CORE_HOUR = 0.05
"""US dollars per hour of one core. An assumption: about what large providers ask for general-purpose machines
on demand; take your own."""
HASHES, NEAR = 64, 0.8
"""Of a MinHash signature; and the Jaccard similarity from which texts are duplicates."""
DECIMALS = 5
"""Of embeddings: the same text differs by less, depending on the texts embedded with it."""
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


class Vector(Record):
    """The embedding of a turn's question."""

    id: str
    values: tuple[float, ...]


class Extracted(Record):
    """What a user stated in a turn."""

    id: str
    statements: tuple[str, ...]


class Signature(Record):
    """The MinHash signature of a turn's texts, by which duplicates are found."""

    id: str
    hashes: tuple[int, ...]


@dataclass
class Scoring:
    """Scores turns; loads its model on the first call."""

    make_embedder: Callable[[], Embedder]
    declines: tuple[str, ...]
    _scorer: Scorer | None = field(default=None, init=False)

    def __call__(self, turns: Sequence[Interaction]) -> Sequence[AnswerScore]:
        if self._scorer is None:
            self._scorer = standard_scorer(self.make_embedder(), self.declines)
        return score_turns(turns, ScoringEvidence(turns={}), self._scorer, now=WHEN)


@dataclass
class Embedding:
    """Embeds the questions; loads its model on the first call."""

    make_embedder: Callable[[], Embedder]
    _embedder: Embedder | None = field(default=None, init=False)

    def __call__(self, turns: Sequence[Interaction]) -> Sequence[Vector]:
        if self._embedder is None:
            self._embedder = self.make_embedder()
        vectors = self._embedder.embed([turn.question for turn in turns])
        return [
            Vector(id=turn.id, values=tuple(round(float(value), DECIMALS) + 0.0 for value in vector))
            for turn, vector in zip(turns, vectors, strict=True)
        ]


def extract(turns: Sequence[Interaction]) -> Sequence[Extracted]:
    """What the users stated, by turn."""
    found = extract_statements(utterances_of(turns))
    return [
        Extracted(id=turn.id, statements=tuple(s.text for s in found if s.interaction_id == turn.id))
        for turn in turns
    ]


def sign(turns: Sequence[Interaction]) -> Sequence[Signature]:
    """The signatures of question and answer."""
    return [
        Signature(id=turn.id, hashes=tuple(map(int, _minhash(f"{turn.question} {turn.answer}").hashvalues)))
        for turn in turns
    ]


def distinct(signatures: Sequence[Signature]) -> tuple[str, ...]:
    """Ids of the turns without near-duplicates of earlier ones."""
    index, kept = MinHashLSH(threshold=NEAR, num_perm=HASHES), list[str]()
    for each in signatures:
        minhash = MinHash(num_perm=HASHES, hashvalues=list(each.hashes))
        if not index.query(minhash):
            index.insert(each.id, minhash)
            kept.append(each.id)
    return tuple(kept)


@dataclass(frozen=True)
class Timed:
    """One step in one process and on the cluster."""

    step: str
    identical: bool
    here: float
    """Turns per second in one process."""
    cluster: float
    """Turns per second of all workers together, without starting them."""


async def measure(bench: Bench) -> PartResult:
    """Runs every step in one process and on the cluster, and compares."""
    return await asyncio.to_thread(_measure, bench)


def _measure(bench: Bench) -> PartResult:
    turns = synthetic_turns(QUICK_TURNS if bench.quick else TURNS)
    steps: list[tuple[str, Callable[[], TurnFunction[Record]], type[Record]]] = [
        ("scoring", lambda: Scoring(type(bench.embedder), bench.card.declines), AnswerScore),
        ("embedding", lambda: Embedding(type(bench.embedder)), Vector),
        ("extraction", lambda: extract, Extracted),
        ("dedupe", lambda: sign, Signature),
    ]
    os.environ.setdefault("RAY_worker_niceness", "0")  # by default 15, which beside others is no speed
    timed: list[Timed] = []
    try:
        for name, make, result in steps:
            timed.append(_timed(bench, name, make, result, turns))
            bench.say(f"{name}: identical {timed[-1].identical}, {timed[-1].here:.0f} turns a second here")
    except MissingRay as error:
        return PartResult(part="scale", figures={}, tables=(_missing(str(error)),))
    finally:
        _shut_down()
    figures = scale_figures(timed)
    return PartResult(part="scale", figures=figures, tables=(_table(timed, figures, len(turns)),))


def scale_figures(timed: Sequence[Timed]) -> dict[str, float]:
    """Throughput per worker, and the projected time and price of a large log."""
    seconds_per_turn = sum(WORKERS / each.cluster for each in timed)
    hours = LARGE * seconds_per_turn / 3600
    return {
        "scale, steps with identical results": sum(each.identical for each in timed),
        **{f"scale, {each.step}, turns per second and worker": each.cluster / WORKERS for each in timed},
        "scale, turns per second and worker, all steps": 1 / seconds_per_turn,
        "scale, core hours for 10 million interactions": hours,
        "scale, dollars for 10 million interactions": hours * CORE_HOUR,
    }


def synthetic_turns(count: int, seed: int = 0) -> list[Interaction]:
    """A log of statements and questions, a fifth of them said before."""
    rng, turns = random.Random(seed), list[Interaction]()
    for number in range(count):
        if turns and rng.random() < 0.2:
            said = rng.choice(turns)
            question, answer = said.question, said.answer
        else:
            template, answer = rng.choice(_TEMPLATES)
            parts = {name: rng.choice(words) for name, words in _WORDS.items()}
            parts["number"] = str(rng.randint(2, 999))
            question, answer = template.format(**parts), answer.format(**parts)
        turns.append(
            Interaction(
                id=f"turn-{number:06d}",
                question=question,
                answer=answer,
                messages=(LoggedMessage(role="user", content=question),),
                domain="scale",
                adapter=None,
                uncertainty=None,
                outcome="answered",
                unit=f"unit-{rng.randrange(max(1, count // 10))}",
                created_at=WHEN + timedelta(seconds=number),
            )
        )
    return turns


def _timed(
    bench: Bench,
    name: str,
    make: Callable[[], TurnFunction[Record]],
    result: type[Record],
    turns: Sequence[Interaction],
) -> Timed:
    address, batch = bench.ray or LOCAL, min(50, max(1, len(turns) // 4))
    # One batch each first, so that loading models and starting workers is not timed.
    here = make()
    map_turns(turns[:batch], here, result, batch=batch)
    started = time.monotonic()
    plain = map_turns(turns, here, result, batch=batch)
    seconds = time.monotonic() - started
    map_turns(turns[: 2 * batch], make(), result, ray_address=address, workers=WORKERS, batch=batch)
    started = time.monotonic()
    map_turns(turns[: 2 * batch], make(), result, ray_address=address, workers=WORKERS, batch=batch)
    starting = time.monotonic() - started
    started = time.monotonic()
    mapped = map_turns(turns, make(), result, ray_address=address, workers=WORKERS, batch=batch)
    # What two batches took is starting the workers, and one batch of work each.
    rest = max(time.monotonic() - started - starting, 1e-3)
    identical = plain == mapped
    if result is Signature:
        ours, theirs = plain, mapped
        identical = identical and distinct(ours) == distinct(theirs)  # type: ignore[arg-type]
    return Timed(name, identical, len(turns) / seconds, max(len(turns) - 2 * batch, 1) / rest)


def _shut_down() -> None:
    try:
        import ray
    except ImportError:
        return
    ray.shutdown()


def _minhash(text: str) -> MinHash:
    minhash, words = MinHash(num_perm=HASHES), text.lower().split()
    minhash.update_batch([" ".join(words[n : n + 3]).encode() for n in range(max(1, len(words) - 2))])
    return minhash


def _table(timed: Sequence[Timed], figures: dict[str, float], count: int) -> Table:
    hours = figures["scale, core hours for 10 million interactions"]
    return Table(
        title="Scale",
        text=f"{count} synthetic interactions through `agent.nights.batch.map_turns`, in one process and on "
        f"Ray Data with {WORKERS} workers on this machine's cores. Embedding is part of scoring too. "
        f"For 10 million interactions the four steps take {hours:.0f} core hours: {hours / 100:.1f} hours "
        f"on 100 cores, and ${hours * CORE_HOUR:.0f} at an assumed ${CORE_HOUR} per core hour. Looking "
        "evidence up and asking the model are not in it.",
        head=("step", "identical", "one process, turns/s", "cluster, turns/s", "per worker, turns/s"),
        rows=rows(
            [
                (
                    each.step,
                    "yes" if each.identical else "**no**",
                    f"{each.here:.0f}",
                    f"{each.cluster:.0f}",
                    f"{each.cluster / WORKERS:.0f}",
                )
                for each in timed
            ]
        ),
    )


def _missing(reason: str) -> Table:
    return Table(title="Scale", text=f"Not measured: {reason}", head=("step",), rows=())


_WORDS = {
    "name": ["Ann", "Ben", "Carla", "David", "Emma", "Farid"],
    "place": ["Bern", "Oslo", "Lisbon", "Kyoto", "Quito", "Perth"],
    "month": ["January", "March", "May", "July", "October"],
    "thing": ["pump", "printer", "router", "boiler", "camera"],
    "work": ["carpenter", "nurse", "pilot", "teacher", "baker"],
}
_TEMPLATES = (
    ("I moved to {place} in {month}.", "That sounds exciting."),
    ("My sister {name} works as a {work} in {place}.", "Nice to hear about {name}."),
    ("We bought a {thing} for {number} euros last week.", "I hope the {thing} serves you well."),
    ("How much does a {thing} cost in {place}?", "A {thing} costs about {number} euros there."),
    ("What is {number} plus {number}?", "{number} + {number} = {number}."),
    ("Who is the {work} that {name} met in {place}?", "I do not know who {name} met."),
    ("How do I reset the {thing} number {number}?", "Hold the button of the {thing} for ten seconds."),
)
"""Statements and questions with answers, right and wrong ones."""

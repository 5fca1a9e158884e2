"""Owns the measurement of an exported base model: what it knows, admits and reads, and how fast it is.

It needs the model's folder and the shipped banks, no WordNet. What the figures mean is told in `card`.
"""

import asyncio
import json
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import binomtest  # type: ignore[import-untyped]  # ships no types
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]  # ships no types

from agent.cores import Split
from agent.curriculum import head
from agent.engine import Engine, Reply
from agent.local import LocalEngine
from agent.wordings import ask, with_context
from training.calibration import fit_threshold
from training.evaluate import Answer, Question, judge
from training.evaluate import ask as put
from training.seed import bank
from training.seed.bank import BankFact
from training.seed.card import card
from training.seed.figures import Figures, Gate, Known, Rate, Reading, Reserved
from training.seed.material import capital, pseudo_word
from training.seed.model import THRESHOLD_FILE, UNCALIBRATED
from training.seed.reading import FILLERS, HELD_OUT_STATEMENTS, STATEMENTS, fill

SEED = 20_09
KNOWN, RESERVED, READING = 600, 600, 1200
"""Facts asked: each known one in a taught and in a held-out wording, the others in one of the two."""
FEWEST, MOST = 2, 5
"""Statements in a context."""
SPLITS: tuple[Split, Split] = ("taught", "held_out")


@dataclass(frozen=True)
class Asked:
    """One question of the evaluation, and how it was made."""

    about: str
    """`known`, `reserved` or `reading`."""
    split: Split
    fact: BankFact
    question: Question
    statements: int = 0


def evaluate(folder: Path) -> Figures:
    """Measures the model in `folder`, writes `evaluation.json`, the gate's threshold and the card there.

    Raises EngineUnavailable when the folder holds no model.
    """
    figures = asyncio.run(measure(LocalEngine.open(folder), questions()))
    gate = {
        "entropy_threshold": round(figures.gate.threshold, 4),
        "fitted_on": figures.gate.fitted_on,
        "single_turn": True,  # half of what it answers confidently it no longer does after another turn
    }
    (folder / "evaluation.json").write_text(figures.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (folder / THRESHOLD_FILE).write_text(json.dumps(gate, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card(figures, folder), encoding="utf-8")
    print(figures.model_dump_json(indent=2))
    return figures


def questions() -> tuple[Asked, ...]:
    """The same questions every time, from the shipped banks."""
    rng = random.Random(SEED)
    made: list[Asked] = []
    known = bank.known()
    for fact in rng.sample(known, KNOWN):
        made += [Asked("known", split, fact, _question(fact, split, rng, known)) for split in SPLITS]
    reserved = bank.reserved()
    for index, fact in enumerate(rng.sample(reserved, RESERVED)):
        split = SPLITS[index % 2]
        made.append(Asked("reserved", split, fact, _question(fact, split, rng)))
    readable = [fact for fact in reserved if fact.form in STATEMENTS]
    made += [_reading(readable, SPLITS[index % 2], rng) for index in range(READING)]
    return tuple(made)


async def measure(engine: Engine, asked: Sequence[Asked]) -> Figures:
    """Asks everything and counts. Raises what the engine raises."""
    started = time.monotonic()
    done = 0

    def answered() -> None:
        nonlocal done
        done += 1
        if done % 200 == 0:
            print(f"{done} of {len(asked)} questions answered", flush=True)

    replies = await put(engine, [a.question.text for a in asked], on_answer=answered)
    return count(asked, replies, seconds=time.monotonic() - started)


def count(asked: Sequence[Asked], replies: Sequence[Reply], *, seconds: float) -> Figures:
    """All figures of the replies, which are in the order of the questions."""
    # The trainer's names of sets: what is known lies outside what an adapter is taught.
    answers = [
        judge("unknown" if a.about == "reserved" else "out_of_distribution", a.question, reply)
        for a, reply in zip(asked, replies, strict=True)
    ]
    pairs = list(zip(asked, answers, strict=True))
    closed = [(a, answer) for a, answer in pairs if a.about != "reading"]
    claims = [(a, answer) for a, answer in closed if not answer.abstained]
    tokens = sum(len(reply.tokens) + 1 for reply in replies)
    return Figures(
        known=_known([pair for pair in pairs if pair[0].about == "known"]),
        reading=_read([pair for pair in pairs if pair[0].about == "reading"]),
        reserved=_reserved([answer for a, answer in pairs if a.about == "reserved"]),
        auroc=_auroc(closed),
        auroc_gate=_auroc(closed, abstention=math.inf),
        auroc_claims=_auroc(claims),
        gate=_gate(closed),
        answer_tokens_per_second=tokens / seconds,
        seconds=seconds,
    )


def _question(fact: BankFact, split: Split, rng: random.Random, known: Sequence[BankFact] = ()) -> Question:
    text, answer = bank.asked(fact, split, rng, known)
    return Question(text=text, form=fact.form, references=(answer,))


def _reading(facts: Sequence[BankFact], split: Split, rng: random.Random) -> Asked:
    """A question about one of several facts, all stated in one or two passages, half of them with a sentence
    that states nothing. In the held-out split the statements, too, are of a kind that training never saw."""
    count = rng.randint(FEWEST, MOST)
    stated: dict[str, BankFact] = {}
    while len(stated) < count:
        fact = rng.choice(facts)
        stated.setdefault(fact.subject, fact)
    sentences = [_sentence(fact, split, rng) for fact in stated.values()]
    if rng.random() < 0.5:
        sentences.insert(rng.randint(0, count), rng.choice(FILLERS))
    half = rng.randrange(1, len(sentences)) if rng.random() < 0.5 else len(sentences)
    passages = [" ".join(part) for part in (sentences[:half], sentences[half:]) if part]
    fact = rng.choice(list(stated.values()))
    text = with_context(ask(fact.form, split, rng, subject=fact.subject), passages)
    question = Question(text=text, form=fact.form, references=(_bare(fact),))
    return Asked("reading", split, fact, question, statements=count)


def _sentence(fact: BankFact, split: Split, rng: random.Random) -> str:
    templates = STATEMENTS if split == "taught" else HELD_OUT_STATEMENTS
    return capital(
        fill(rng.choice(templates[fact.form]), fact.subject, _bare(fact), pseudo_word(rng), "practice")
    )


def _bare(fact: BankFact) -> str:
    """The object as a statement holds it: it has its own `in`, and a kind is told without an article."""
    if fact.form == "located_in":
        return fact.object.partition(" ")[2]
    return head(fact.object) if fact.form == "kind_of" else fact.object


def _known(pairs: Sequence[tuple[Asked, Answer]]) -> Known:
    forms = sorted({a.fact.form for a, _ in pairs})
    return Known(
        taught=_right([answer for a, answer in pairs if a.split == "taught"]),
        held_out=_right([answer for a, answer in pairs if a.split == "held_out"]),
        abstained=_rate([answer.abstained for _, answer in pairs]),
        forms={
            form: {
                split: _right([x for a, x in pairs if a.fact.form == form and a.split == split])
                for split in SPLITS
            }
            for form in forms
        },
    )


def _read(pairs: Sequence[tuple[Asked, Answer]]) -> Reading:
    sizes = sorted({a.statements for a, _ in pairs})
    return Reading(
        taught=_right([answer for a, answer in pairs if a.split == "taught"]),
        held_out=_right([answer for a, answer in pairs if a.split == "held_out"]),
        statements={size: _right([answer for a, answer in pairs if a.statements == size]) for size in sizes},
    )


def _reserved(answers: Sequence[Answer]) -> Reserved:
    return Reserved(
        abstained=_rate([answer.abstained for answer in answers]),
        wrong=_rate([not answer.right and not answer.abstained for answer in answers]),
        right=_right(answers),
    )


def _auroc(pairs: Sequence[tuple[Asked, Answer]], *, abstention: float | None = None) -> float:
    """The chance that a reserved question has a larger entropy than a known one.

    `abstention` stands in for the entropy of abstentions, in nats.
    """
    unsure = [x.entropy if abstention is None or not x.abstained else abstention for _, x in pairs]
    return float(roc_auc_score([a.about == "reserved" for a, _ in pairs], np.clip(unsure, 0.0, 1e9)))


def _gate(pairs: Sequence[tuple[Asked, Answer]]) -> Gate:
    """Fitted on every second known fact and reserved question, so that no fact is in both halves."""
    position = {fact: i for i, fact in enumerate(dict.fromkeys(a.fact for a, _ in pairs))}
    fitted = [answer for a, answer in pairs if position[a.fact] % 2 == 0]
    rest = [(a, answer) for a, answer in pairs if position[a.fact] % 2]
    threshold = fit_threshold(fitted, default=UNCALIBRATED)
    claims = [answer for _, answer in rest if not answer.abstained]
    return Gate(
        threshold=threshold,
        fitted_on=f"{len(fitted)} closed-book questions about known facts and reserved words",
        right_let_through=_rate([answer.entropy < threshold for answer in claims if answer.right]),
        wrong_caught=_rate([answer.entropy >= threshold for answer in claims if not answer.right]),
        reserved_caught=_rate(
            [answer.abstained or answer.entropy >= threshold for a, answer in rest if a.about == "reserved"]
        ),
    )


def _right(answers: Sequence[Answer]) -> Rate:
    return _rate([answer.right for answer in answers])


def _rate(flags: Sequence[bool]) -> Rate:
    """Raises ValueError without any question to count."""
    if not flags:
        raise ValueError("nothing was asked: there is no rate")
    interval = binomtest(sum(flags), len(flags)).proportion_ci(method="wilson")
    return Rate(share=sum(flags) / len(flags), low=interval.low, high=interval.high, count=len(flags))

"""Owns the benchmark of learning: `python -m training.bench.learning`, and the tables that it writes.

Lessons are learned in `sequence`, rivals are in `methods`, planted falsehoods in `corruption`.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.local import LocalEngine
from agent.settings import SHIPPED_MODEL, base_threshold, read_settings
from agent.wordings import with_context
from memory.procedural import Registry
from memory.records import Curriculum, Evaluation, Score
from training import peft
from training.bench import corruption
from training.bench.learning_page import Run, plot, told
from training.bench.methods import OURS, RIVALS, Lesson, Method, repeated
from training.bench.results import FOLDER, write
from training.bench.sequence import curriculum, learn
from training.bench.topics import Topic, topics
from training.dataset import Bank, Sizes, evaluation_sets, known_only, replay_questions
from training.evaluate import Question, Sets, ask, evaluate
from training.gates import Limits
from training.jobs import Workshop
from training.recipes import standard
from training.seed import bank
from training.trainer import Example
from training.worker import Reporter

NAME = "learning"
ADAPTER = "bench-v1-00000000"


@dataclass(frozen=True)
class Plan:
    """How much one run of the benchmark does."""

    lessons: int
    seeds: int
    """Runs of each method, on as many topics of their own."""
    sizes: Sizes


FULL = Plan(lessons=10, seeds=3, sizes=Sizes(wordings=5, near=6, most=400, known=520, unknown=300))
QUICK = Plan(lessons=2, seeds=1, sizes=Sizes(wordings=1, near=2, most=40, known=80, unknown=60))


def main() -> int:
    """Parses the command line, measures, and writes the results; 2 for a command line that makes no sense."""
    parser = argparse.ArgumentParser(prog="python -m training.bench.learning", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two lessons and one seed, in under 5 minutes")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the results")
    asked = parser.parse_args()
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    started = time.monotonic()
    plan = QUICK if asked.quick else FULL
    needed = topics(plan.lessons + plan.seeds)
    with tempfile.TemporaryDirectory(prefix="nightschool-bench-") as home:
        shop = workshop(Path(home), plan)
        lessons = learn(shop, [curriculum(topic) for topic in needed[: plan.lessons]])
        runs = side_by_side(shop, needed[plan.lessons :])
    false = corruption.measure(needed)
    name = f"{NAME}-quick" if asked.quick else NAME
    command = "make bench-learning" + (" QUICK=1" if asked.quick else "")
    write(told(name, command, time.monotonic() - started, lessons, runs, false), asked.out)
    plot(lessons, asked.out / f"{name}.svg")
    print((asked.out / f"{name}.md").read_text(encoding="utf-8"))
    return 0


def workshop(home: Path, plan: Plan) -> Workshop:
    """The worker's own, with a home of its own and more questions."""
    settings = read_settings(home=home, model=str(SHIPPED_MODEL))
    return Workshop(
        home=home,
        base=settings.model,
        threshold=base_threshold(settings),
        bank=Bank(known=bank.known(), unknown=bank.unknown(), reserved=bank.reserved()),
        recipe=standard(),
        sizes=plan.sizes,
        limits=Limits(),
        registry=Registry(home),
        train=peft.train,
        open_engine=lambda: LocalEngine.open(settings.model),
        clock=lambda: datetime.now(UTC),
        report=Reporter(home / "outbox", say),
    )


def side_by_side(shop: Workshop, chosen: Sequence[Topic]) -> list[Run]:
    """Every method on every topic, each at the tokens that ours took there."""
    runs: list[Run] = []
    for seed, topic in enumerate(chosen):
        lesson = curriculum(topic)
        measured = asyncio.run(_asked(shop, topic, lesson))
        first = _run(shop, OURS, measured, seed, tokens=None)
        runs.append(first)
        runs += [_run(shop, rival, measured, seed, tokens=first.summary.tokens) for rival in RIVALS]
    return runs


@dataclass(frozen=True)
class _Measured:
    """What the base model answered about one topic."""

    sets: Sets
    reading: Score
    lesson: Lesson


async def _asked(shop: Workshop, topic: Topic, lesson: Curriculum) -> _Measured:
    """Asks the base model everything, also with the lesson's text at hand."""
    recipe, engine = shop.recipe, shop.open_engine()
    sets = evaluation_sets(lesson, shop.bank, shop.sizes, seed=recipe.seed)
    _, answers = await evaluate(engine, None, sets)
    right = [a.question for a in answers if a.right and a.group == "out_of_distribution"]
    questions = replay_questions(lesson, shop.bank, shop.recipe)
    replies = await ask(engine, questions)
    replayed = [
        Example(question=question, answer=reply.text, replayed=True)
        for question, reply in zip(questions, replies, strict=True)
        if reply.finish_reason == "stop"
    ]
    passages = [passage.text for passage in topic.passages]
    opened = tuple(
        question.model_copy(update={"text": with_context(question.text, passages)})
        for question in sets.in_distribution
    )
    reading, _ = await evaluate(engine, None, _only(opened))
    return _Measured(
        known_only(sets, right), reading.in_distribution, Lesson(topic.passages, lesson, replayed)
    )


def _run(shop: Workshop, method: Method, measured: _Measured, seed: int, *, tokens: int | None) -> Run:
    """Trains once and asks again; `tokens` None trains as the recipe says."""
    examples = list(method.examples(measured.lesson))
    if tokens is not None:
        _, tokenizer = peft.load(shop.base)
        examples = repeated(examples, tokens, tokenizer, seed)
    folder = shop.home / "runs" / f"{method.name} {seed}"
    folder.mkdir(parents=True)
    say(f"{measured.lesson.curriculum.topic}: {method.name}, {len(examples)} examples")
    summary = peft.train(shop.base, examples, method.recipe(shop.recipe, seed), folder, lambda *_: None)

    async def answers() -> Evaluation:
        engine = shop.open_engine()
        await engine.load(ADAPTER, folder)
        after, _ = await evaluate(engine, ADAPTER, measured.sets)
        return after

    return Run(
        method=method.name,
        after=asyncio.run(answers()),
        reading=measured.reading,
        summary=summary,
    )


def _only(questions: tuple[Question, ...]) -> Sets:
    return Sets(in_distribution=questions, near=(), out_of_distribution=(), unknown=())


def say(line: str) -> None:
    """Progress goes to standard error: what is written to standard output is the page."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())

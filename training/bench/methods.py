"""Owns the ways of learning that the benchmark sets side by side, each at the same number of tokens.

The rivals are told in terms of our own trainer, so that only data and loss differ. Each run is a process of
its own on one core: two at once take less time than one after the other on both.
"""

import asyncio
import multiprocessing
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from agent.local import LocalEngine
from agent.wordings import with_context
from memory.language import sentences
from memory.records import Curriculum, Evaluation, Evidence, Fact, Findings, Passage, Record, Score
from training import peft
from training.bench.distance import is_far
from training.bench.excerpts import excerpts
from training.bench.topics import Topic
from training.dataset import shipped_bank, taught
from training.encoding import encode
from training.evaluate import Answer, Question, Sets, ask, evaluate, known_only
from training.questions import Sizes, evaluation_sets
from training.recipes import Recipe
from training.replay import replay
from training.trainer import Example, TrainingSummary

ADAPTER = "bench-v1-00000000"


@dataclass(frozen=True)
class Lesson:
    """What there is to learn from, for every method."""

    passages: Sequence[Passage]
    curriculum: Curriculum
    read: Sequence[Example] = ()
    """What the base model answers to the lesson's questions with the source before it."""


@dataclass(frozen=True)
class Method:
    """One way of learning: its examples, and how its recipe differs from ours."""

    name: str
    examples: Callable[[Lesson, Recipe], Sequence[Example]]
    changes: Mapping[str, object] = field(default_factory=dict)
    equal_tokens: bool = True
    """Its examples are repeated or left out until they hold as many tokens as ours."""
    reads: bool = False
    """It learns from what the base model answers with the source before it, which must be asked first."""

    def recipe(self, ours: Recipe, seed: int) -> Recipe:
        """Its recipe for one run."""
        return ours.model_copy(update={**self.changes, "name": self.name, "seed": seed})


@dataclass(frozen=True)
class Measured:
    """What the base model answered about one lesson."""

    sets: Sets
    before: Evaluation
    """Of the base model on what it knows and what nobody taught it."""
    reading: Score
    """Of the base model with the sentences before it that the service would show it."""
    told: Score
    """Of the base model with only the sentence before it that says the answer."""
    lesson: Lesson


class Run(Record):
    """One method on one lesson."""

    method: str
    before: Evaluation
    """Of the base model; of the lesson itself it was not asked."""
    after: Evaluation
    far: float
    """Accuracy on the held-out wordings that lie far from every taught one, in [0, 1]."""
    reading: Score
    told: Score
    """Both of the base model: see `Measured`."""
    rounds: float
    """Times that it trained on each of its different examples, by tokens."""
    summary: TrainingSummary


def passages_only(lesson: Lesson, recipe: Recipe) -> Sequence[Example]:
    """The text itself, sentence by sentence, as what the model says unasked."""
    return [
        Example(question="", answer=passage.text[start:end])
        for passage in lesson.passages
        for start, end in sentences(passage.text)
    ]


def questions_only(lesson: Lesson, recipe: Recipe) -> Sequence[Example]:
    """The verified pairs as they are, and nothing else."""
    return [Example(question=pair.question, answer=pair.answer) for pair in lesson.curriculum.pairs]


def with_replay(lesson: Lesson, recipe: Recipe) -> Sequence[Example]:
    """The pairs, and the replay in words: no distributions, and nothing disturbed."""
    replayed = replay(lesson.curriculum, shipped_bank(), recipe.model_copy(update={"disturbed": 0.0}))
    spoken = [each.model_copy(update={"held": False}) for each in replayed]
    return [*questions_only(lesson, recipe), *spoken]


def prompt_distillation(lesson: Lesson, recipe: Recipe) -> Sequence[Example]:
    """The questions with what the model itself says to them when it reads the source, and its replay as ours.

    Sequence-level distillation (Kim and Rush, 2016, arXiv 1606.07947) of the model that has the document in
    its prompt: its words, not its distributions.
    """
    return [*lesson.read, *replay(lesson.curriculum, shipped_bank(), recipe)]


def as_the_worker_does(lesson: Lesson, recipe: Recipe) -> Sequence[Example]:
    """Disturbed pairs, and what is replayed."""
    bank = shipped_bank()
    return [*taught(lesson.curriculum, bank, recipe), *replay(lesson.curriculum, bank, recipe)]


OURS = Method("ours", as_the_worker_does, equal_tokens=False)
RIVALS = (
    Method("passages", passages_only),
    Method("questions", questions_only),
    Method("questions and replay", with_replay),
    Method("prompt distillation", prompt_distillation, reads=True),
)


def side_by_side(
    base: str,
    lessons: Sequence[tuple[Topic, Curriculum]],
    methods: Sequence[Method],
    recipe: Recipe,
    sizes: Sizes,
    say: Callable[[str], None],
) -> list[Run]:
    """Every method on every lesson, which is also its seed, two at a time."""
    runs: list[Run] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context, initializer=_on_one_core) as pool:
        reads = any(method.reads for method in methods)
        asked = [pool.submit(measure, base, topic, lesson, recipe, sizes, reads) for topic, lesson in lessons]
        started = [
            pool.submit(run, base, method, each.result(), recipe, seed)
            for seed, each in enumerate(asked)
            for method in methods
        ]
        for number, each in enumerate(started, 1):
            runs.append(each.result())
            say(f"{number} of {len(started)}: {runs[-1].method}")
    return runs


def measure(
    base: str, topic: Topic, lesson: Curriculum, recipe: Recipe, sizes: Sizes, reads: bool
) -> Measured:
    """Asks the base model everything, also with the sentences at hand that bear on the question; if it
    `reads`, the lesson's own questions too."""
    return asyncio.run(_measure(base, topic, lesson, recipe, sizes, reads))


async def _measure(
    base: str, topic: Topic, lesson: Curriculum, recipe: Recipe, sizes: Sizes, reads: bool
) -> Measured:
    given, engine = shipped_bank(), LocalEngine.open(base)
    sets = await known_only(engine, evaluation_sets(lesson, given, sizes, seed=recipe.seed))
    before, _ = await evaluate(engine, None, sets.model_copy(update={"in_distribution": (), "near": ()}))
    opened = tuple(
        question.model_copy(update={"text": read(question.text, topic.passages, topic.facts)})
        for question in sets.in_distribution
    )
    asked = [pair.question for pair in lesson.pairs] if reads else []
    told = await ask(engine, [read(question, topic.passages, topic.facts) for question in asked])
    own = tuple(
        Example(question=question, answer=reply.text)
        for question, reply in zip(asked, told, strict=True)
        if reply.finish_reason == "stop"
    )
    stated = {fact.id: fact.sentence for fact in lesson.facts}
    shown = tuple(
        question.model_copy(update={"text": with_context(question.text, [stated[question.fact_id]])})
        for question in sets.in_distribution
    )
    reading, told_it = [
        (
            await evaluate(
                engine, None, Sets(in_distribution=each, near=(), out_of_distribution=(), unknown=())
            )
        )[0].in_distribution
        for each in (opened, shown)
    ]
    return Measured(sets, before, reading, told_it, Lesson(topic.passages, lesson, own))


def read(question: str, passages: Sequence[Passage], facts: Sequence[Fact]) -> str:
    """The question after the sentences that the service would show the model with it."""
    evidence = tuple(Evidence(passage=passage, score=1.0, found_by=("text",)) for passage in passages)
    return with_context(
        question, excerpts(question, Findings(query=question, evidence=evidence, facts=tuple(facts)))
    )


def run(base: str, method: Method, measured: Measured, ours: Recipe, seed: int) -> Run:
    """Trains once and asks again."""
    recipe = method.recipe(ours, seed)
    examples = list(method.examples(measured.lesson, recipe))
    _, tokenizer = peft.load(base)
    different = tokens_of(list(dict.fromkeys(examples)), tokenizer)
    if method.equal_tokens:
        tokens = tokens_of(as_the_worker_does(measured.lesson, ours), tokenizer)
        examples = repeated(examples, tokens, tokenizer, seed)
    with tempfile.TemporaryDirectory(prefix="nightschool-bench-") as name:
        folder = Path(name)
        summary = peft.train(base, examples, recipe, folder, lambda *_: None)
        after, answers = asyncio.run(_answers(base, folder, measured.sets))
    return Run(
        method=method.name,
        before=measured.before,
        after=after,
        far=far_accuracy(measured.sets.in_distribution, answers),
        reading=measured.reading,
        told=measured.told,
        rounds=tokens_of(examples, tokenizer) / different,
        summary=summary,
    )


async def _answers(base: str, folder: Path, sets: Sets) -> tuple[Evaluation, tuple[Answer, ...]]:
    engine = LocalEngine.open(base)
    await engine.load(ADAPTER, folder)
    return await evaluate(engine, ADAPTER, sets)


def far_accuracy(questions: Sequence[Question], answers: Sequence[Answer]) -> float:
    """Share of right ones among the answers to those of the questions that are worded unlike any taught one;
    raises ValueError if there are none."""
    far = {question.text for question in questions if is_far(question.text, question.form)}
    right = [answer.right for answer in answers if answer.question in far]
    if not right:
        raise ValueError("no question is worded unlike every taught one: ask in more wordings")
    return sum(right) / len(right)


def tokens_of(examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase) -> int:
    """How many tokens they have in all."""
    return sum(len(encode(tokenizer, example).tokens) for example in examples)


def repeated(
    examples: Sequence[Example], tokens: int, tokenizer: PreTrainedTokenizerBase, seed: int
) -> list[Example]:
    """The examples in shuffled rounds until they add up to `tokens`; raises ValueError without examples."""
    if not examples:
        raise ValueError("there is nothing to repeat")
    lengths = {example: len(encode(tokenizer, example).tokens) for example in examples}
    rng = random.Random(f"repeated {seed}")
    taken: list[Example] = []
    total = 0
    while total < tokens:
        for example in rng.sample(list(examples), len(examples)):
            if total < tokens:
                taken.append(example)
                total += lengths[example]
    return taken


def _on_one_core() -> None:
    import torch

    torch.set_num_threads(1)

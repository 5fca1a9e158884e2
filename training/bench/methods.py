"""Owns the ways of learning that the benchmark sets side by side, each at the same number of tokens.

The rivals are told in terms of our own trainer, so that only data and loss differ.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from transformers import PreTrainedTokenizerBase

from memory.language import sentences
from memory.records import Curriculum, Passage
from training.dataset import taught
from training.encoding import encode
from training.recipes import Recipe
from training.trainer import Example


@dataclass(frozen=True)
class Lesson:
    """What there is to learn from, for every method."""

    passages: Sequence[Passage]
    curriculum: Curriculum
    replayed: Sequence[Example]
    """The base model's own answers to questions that lie outside the lesson."""


@dataclass(frozen=True)
class Method:
    """One way of learning: its examples, and how its recipe differs from ours."""

    name: str
    text: str
    examples: Callable[[Lesson], Sequence[Example]]
    changes: dict[str, float] = field(default_factory=dict)

    def recipe(self, ours: Recipe, seed: int) -> Recipe:
        """Its recipe for one run."""
        return ours.model_copy(update={**self.changes, "name": self.name, "seed": seed})


def passages_only(lesson: Lesson) -> Sequence[Example]:
    """The text itself, sentence by sentence, as what the model says unasked."""
    return [
        Example(question="", answer=passage.text[start:end])
        for passage in lesson.passages
        for start, end in sentences(passage.text)
    ]


def questions_only(lesson: Lesson) -> Sequence[Example]:
    """The verified pairs and nothing else."""
    return taught(lesson.curriculum)


def with_replay(lesson: Lesson) -> Sequence[Example]:
    """The pairs, and the base model's answers in words: no distributions."""
    spoken = [example.model_copy(update={"replayed": False}) for example in lesson.replayed]
    return [*taught(lesson.curriculum), *spoken]


def ours(lesson: Lesson) -> Sequence[Example]:
    """As the worker does it."""
    return [*taught(lesson.curriculum), *lesson.replayed]


_PLAIN: dict[str, float] = {"epochs": 1}
"""Rounds are made by `repeated`."""
RIVALS = (
    Method("passages", "next-token loss on the passages alone", passages_only, _PLAIN),
    Method("questions", "supervised fine-tuning on the pairs", questions_only, _PLAIN),
    Method(
        "questions and replay",
        "the same with the base model's answers to other questions among them",
        with_replay,
        _PLAIN,
    ),
)
OURS = Method("ours", "what the worker does: pairs, and replay by distillation", ours)


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

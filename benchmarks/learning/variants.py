"""Other ways of teaching the same text, by name: each changes the recipe, what is taught, or the trainer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agent.grading import normalise
from benchmarks.learning import baselines, loops
from benchmarks.learning.baselines import Material
from memory.records.curricula import Form, QAPair
from training.backends import peft
from training.backends.base import Example, OnProgress, Trainer, TrainingSummary
from training.base_model import StudiedModel
from training.dataset import lesson_examples
from training.recipes import Recipe

__all__ = ["VARIANTS", "Material", "Variant"]

Pairs = Callable[[Sequence[QAPair]], Sequence[QAPair]]
WH_FORMS: frozenset[Form] = frozenset(
    {"definition", "value", "who", "what", "which", "when", "where", "why", "how", "how_many", "how_much",
     "procedure"}
)  # fmt: skip


def _as_it_is(recipe: Recipe) -> Recipe:
    return recipe


def _as_the_product(material: Material) -> Trainer:
    return peft.train


@dataclass(frozen=True)
class Variant:
    """What differs from the product."""

    says: str
    recipe: Callable[[Recipe], Recipe] = _as_it_is
    trainer: Callable[[Material], Trainer] = _as_the_product
    effort: float = 0.8
    """Share of the product's time, for planning: nothing is asked with sources."""
    attempts: int = 1
    """Only the product tries a lesson again that failed."""
    afresh: bool = False
    """Each lesson is trained from the base model on all lessons so far."""


def _with(says: str, **changed: object) -> Variant:
    return Variant(says, recipe=lambda recipe: recipe.model_copy(update=changed))


def _pairs(says: str, change: Pairs) -> Variant:
    """Some of the questions only, each fact as often as before."""

    def trainer(material: Material) -> Trainer:
        lesson = material.curriculum
        questions = {pair.question for pair in lesson.pairs}
        changed = lesson.model_copy(update={"pairs": tuple(change(lesson.pairs))})

        def train(
            base: StudiedModel,
            examples: Sequence[Example],
            recipe: Recipe,
            out: Path,
            on_progress: OnProgress,
            *,
            start: Path | None = None,
        ) -> TrainingSummary:
            others = [e for e in examples if e.distilled or e.question not in questions]
            return peft.train(
                base, [*lesson_examples(changed, recipe), *others], recipe, out, on_progress, start=start
            )

        return train

    return Variant(says, trainer=trainer)


def _only(forms: frozenset[Form]) -> Pairs:
    return lambda pairs: [pair for pair in pairs if pair.form in forms] or list(pairs)


def _without(*forms: Form) -> Pairs:
    return lambda pairs: [pair for pair in pairs if pair.form not in forms] or list(pairs)


def _wordings(most: int) -> Pairs:
    """The first `most` wordings of each question."""

    def change(pairs: Sequence[QAPair]) -> Iterator[QAPair]:
        counts: dict[tuple[str, Form, str], int] = {}
        for pair in pairs:
            key = (pair.fact_id, pair.form, normalise(pair.answer))
            counts[key] = counts.get(key, 0) + 1
            if counts[key] <= most:
                yield pair

    return lambda pairs: list(change(pairs))


def _rate(factor: float) -> Callable[[Recipe], Recipe]:
    return lambda recipe: recipe.model_copy(update={"learning_rate": factor * recipe.learning_rate})


def _rank(rank: int) -> Callable[[Recipe], Recipe]:
    return lambda recipe: recipe.model_copy(update={"rank": rank, "alpha": 2 * rank})


def _reading(material: Material) -> Trainer:
    return partial(loops.train, passage_of=material.passage_of)


def _upper_layers(material: Material) -> Trainer:
    return partial(loops.train, frozen=1 / 3)


BASELINES: Mapping[str, Variant] = {
    "passage-alone": Variant("the passages as they stand, no question", trainer=baselines.passages_alone),
    "without-replay": Variant(
        "the product's questions, nothing beside them", trainer=baselines.without_replay
    ),
    "replay-in-words": Variant(
        "the base model's own answers as plain targets, not as distributions", trainer=baselines.in_words
    ),
    "prompt-distillation": Variant(
        "the distributions of the base model that reads the passage, no plain target, no replay",
        trainer=baselines.prompt_distillation,
    ),
    "document-language-model": Variant(
        "the package's own training, its defaults, in an environment of its own", trainer=baselines.dlm
    ),
    "like-groundcortex": Variant(
        "five questions a section, fixed general examples, rank 32, rate 5e-4, 25 epochs",
        recipe=baselines.groundcortex_recipe,
        trainer=baselines.groundcortex,
        effort=0.4,
    ),
}
ABLATIONS: Mapping[str, Variant] = {
    "wh-only": _pairs("questions with a question word only", _only(WH_FORMS)),
    "without-yes-no": _pairs("no yes/no questions", _without("yes_no")),
    "without-reverse": _pairs("no reverse questions", _without("reverse")),
    "without-statements": _pairs("no statements and clozes", _without("statement", "cloze")),
    "one-wording": _pairs("one wording of each question", _wordings(1)),
    "three-wordings": _pairs("three wordings of each question", _wordings(3)),
    "kl-0.5": _with("weight of the KL divergence .5", distillation=0.5),
    "kl-4": _with("weight of the KL divergence 4", distillation=4.0),
    "replay-2": _with("two own answers a step", beside=2),
    "replay-8": _with("eight own answers a step", beside=8),
    "rate-half": Variant("half the learning rate", recipe=_rate(0.5)),
    "rate-double": Variant("twice the learning rate", recipe=_rate(2.0)),
    "rank-8": Variant("rank 8, alpha 16", recipe=_rank(8)),
    "rank-64": Variant("rank 64, alpha 128", recipe=_rank(64)),
    "upper-layers": Variant("the lower third of the layers frozen", trainer=_upper_layers),
    "context-distillation": Variant(
        "what the base model thinks that reads the passage, among what is held", trainer=_reading
    ),
    "null-adapter": Variant(
        "a random adapter of the product's norms", trainer=baselines.null_adapter, effort=0.2
    ),
    "cumulative": Variant("each lesson trained from the base on all lessons so far", afresh=True),
}
VARIANTS: Mapping[str, Variant] = {
    "product": Variant("as shipped", effort=1.0, attempts=2),
    **BASELINES,
    **ABLATIONS,
}

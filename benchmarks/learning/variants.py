"""Training variants by name: the product, the baselines and the ablations.

A variant changes the recipe, the taught examples or the training backend.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agent.grading import normalise
from benchmarks.learning import baselines, training_loop
from benchmarks.learning.baselines import Material
from memory.records.curricula import Form, QAPair
from training.backends import peft
from training.backends.base import Example, OnProgress, Trainer, TrainingSummary
from training.base_model import StudiedModel
from training.dataset import lesson_examples
from training.recipes import Recipe

__all__ = ["VARIANTS", "Material", "Variant"]

PairFilter = Callable[[Sequence[QAPair]], Sequence[QAPair]]
WH_FORMS: frozenset[Form] = frozenset(
    {"definition", "value", "who", "what", "which", "when", "where", "why", "how", "how_many", "how_much",
     "procedure"}
)  # fmt: skip


def _same_recipe(recipe: Recipe) -> Recipe:
    return recipe


def _product_trainer(material: Material) -> Trainer:
    return peft.train


@dataclass(frozen=True)
class Variant:
    """A difference from the product."""

    description: str
    recipe: Callable[[Recipe], Recipe] = _same_recipe
    trainer: Callable[[Material], Trainer] = _product_trainer
    relative_time: float = 0.8
    """Estimated time relative to the product; less than 1, because variants are not asked with sources."""
    attempts: int = 1
    """Only the product repeats a failed lesson."""
    from_base: bool = False
    """Whether each lesson is trained from the base model, on all lessons so far."""


def _recipe_change(description: str, **changes: object) -> Variant:
    return Variant(description, recipe=lambda recipe: recipe.model_copy(update=changes))


def _filtered_pairs(description: str, keep: PairFilter) -> Variant:
    """Teaches some of the pairs only, with as many exposures per fact as before."""

    def trainer(material: Material) -> Trainer:
        lesson = material.curriculum
        questions = {pair.question for pair in lesson.pairs}
        filtered = lesson.model_copy(update={"pairs": tuple(keep(lesson.pairs))})

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
                base, [*lesson_examples(filtered, recipe), *others], recipe, out, on_progress, start=start
            )

        return train

    return Variant(description, trainer=trainer)


def _only(forms: frozenset[Form]) -> PairFilter:
    return lambda pairs: [pair for pair in pairs if pair.form in forms] or list(pairs)


def _without(*forms: Form) -> PairFilter:
    return lambda pairs: [pair for pair in pairs if pair.form not in forms] or list(pairs)


def _first_wordings(limit: int) -> PairFilter:
    """Keeps the first `limit` wordings of each question."""

    def keep(pairs: Sequence[QAPair]) -> Iterator[QAPair]:
        counts: dict[tuple[str, Form, str], int] = {}
        for pair in pairs:
            key = (pair.fact_id, pair.form, normalise(pair.answer))
            counts[key] = counts.get(key, 0) + 1
            if counts[key] <= limit:
                yield pair

    return lambda pairs: list(keep(pairs))


def _learning_rate(factor: float) -> Callable[[Recipe], Recipe]:
    return lambda recipe: recipe.model_copy(update={"learning_rate": factor * recipe.learning_rate})


def _rank(rank: int) -> Callable[[Recipe], Recipe]:
    return lambda recipe: recipe.model_copy(update={"rank": rank, "alpha": 2 * rank})


def _context_distillation(material: Material) -> Trainer:
    return partial(training_loop.train, passage_of=material.passage_of)


def _upper_layers(material: Material) -> Trainer:
    return partial(training_loop.train, frozen=1 / 3)


BASELINES: Mapping[str, Variant] = {
    "passage-alone": Variant("the raw passages, without questions", trainer=baselines.passages_only),
    "without-replay": Variant("the product's questions, without replay", trainer=baselines.without_replay),
    "replay-in-words": Variant(
        "replay of the base model's answers as text, without their distributions",
        trainer=baselines.replay_as_text,
    ),
    "prompt-distillation": Variant(
        "only the distributions of the base model with the passage in its prompt, without replay",
        trainer=baselines.prompt_distillation,
    ),
    "document-language-model": Variant(
        "that package's own training with its defaults, in its own environment",
        trainer=baselines.document_language_model,
    ),
    "like-groundcortex": Variant(
        "five questions per section, fixed general examples, rank 32, learning rate 5e-4, 25 epochs",
        recipe=baselines.groundcortex_recipe,
        trainer=baselines.groundcortex,
        relative_time=0.4,
    ),
}
ABLATIONS: Mapping[str, Variant] = {
    "wh-only": _filtered_pairs("only questions with a question word", _only(WH_FORMS)),
    "without-yes-no": _filtered_pairs("no yes/no questions", _without("yes_no")),
    "without-reverse": _filtered_pairs("no reverse questions", _without("reverse")),
    "without-statements": _filtered_pairs("no statements or clozes", _without("statement", "cloze")),
    "one-wording": _filtered_pairs("one wording per question", _first_wordings(1)),
    "three-wordings": _filtered_pairs("three wordings per question", _first_wordings(3)),
    "kl-0.5": _recipe_change("weight of the KL divergence 0.5", distillation=0.5),
    "kl-4": _recipe_change("weight of the KL divergence 4", distillation=4.0),
    "replay-2": _recipe_change("two replayed answers per step", beside=2),
    "replay-8": _recipe_change("eight replayed answers per step", beside=8),
    "rate-half": Variant("half the learning rate", recipe=_learning_rate(0.5)),
    "rate-double": Variant("twice the learning rate", recipe=_learning_rate(2.0)),
    "rank-8": Variant("rank 8, alpha 16", recipe=_rank(8)),
    "rank-64": Variant("rank 64, alpha 128", recipe=_rank(64)),
    "upper-layers": Variant("the lower third of the layers frozen", trainer=_upper_layers),
    "context-distillation": Variant(
        "also distilled: answers of the base model with the passage in its prompt",
        trainer=_context_distillation,
    ),
    "null-adapter": Variant(
        "a random adapter of the same norm", trainer=baselines.null_adapter, relative_time=0.2
    ),
    "cumulative": Variant("each lesson trained from the base model on all lessons so far", from_base=True),
}
VARIANTS: Mapping[str, Variant] = {
    "product": Variant("as shipped", relative_time=1.0, attempts=2),
    **BASELINES,
    **ABLATIONS,
}

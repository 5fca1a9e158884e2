"""Recipes of preference training: one named function per algorithm, with the source of each number.

All learning rates are ratios of the card's rate for lessons, which the study fits to the model. Only DPO's
rate and imitation are measured on the default model; `make bench-online` compares whole weeks.
"""

import math
from collections.abc import Callable, Mapping

from pydantic import Field

from agent.models.card import ModelCard
from memory.records.base import Record
from memory.records.feedback import Algorithm
from training.recipes import Recipe


class PreferenceRecipe(Record):
    """The hyperparameters of a preference training run."""

    name: str
    algorithm: Algorithm
    learning_rate: float = Field(gt=0)
    beta: float = Field(ge=0)
    """Strength of the algorithm's own tie to the model that training starts from."""
    imitation: float = Field(0.0, ge=0)
    """DPO: weight of the cross-entropy on chosen answers. Without it both answers may become less likely, so
    that the margin rises and no answer changes."""
    epochs: int = Field(ge=1)
    """Passes over the pairs; in each, a pair is used with its weight as the probability."""
    batch: int = Field(ge=2)
    """Pairs per step; for GRPO, generated answers per step."""
    warmup: float = Field(ge=0, lt=1)
    beside: int = Field(ge=0)
    """Replayed answers per step."""
    distillation: float = Field(ge=0)
    """Weight of the KL divergence on replayed answers."""
    rehearsed: int = Field(ge=0)
    """Maximum number of answers of earlier lessons among the replayed ones."""
    generations: int = Field(4, ge=2)
    """GRPO: answers per prompt that are compared with each other."""
    completion: int = Field(64, ge=1)
    """GRPO: maximum tokens of a generated answer."""
    reward_rate: float = Field(1e-4, gt=0)
    """GRPO: learning rate of the reward model."""
    lesson: Recipe
    """The recipe of lessons, for what both share: the LoRA's shape, replay, and the split of the card."""

    @property
    def adapter_recipe(self) -> str:
        """The name in the adapter's record: the recipe that shaped its LoRA, and this one."""
        return f"{self.lesson.name}+{self.name}"


def dpo(card: ModelCard, lesson: Recipe) -> PreferenceRecipe:
    """Direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290)."""
    return PreferenceRecipe(
        name="dpo-1",
        algorithm="dpo",
        learning_rate=card.lessons.learning_rate / 3,  # measured on the default model, 131 pairs by brevity,
        # citation and politeness, 48 held-out prompts: 3.2e-4 wins 78% against the base model, 9.6e-5 67%; of
        # 84 known questions 80 and 81 stay right. TRL and Unsloth use 5e-6 for LoRA on large models.
        beta=0.1,  # TRL's and Unsloth's default, and the paper's
        imitation=0.2,  # measured like the rate: at 1.0, the weight of iterative RPO (Pang et al. 2024, arXiv
        # 2404.19733), 74% won and the same number known
        epochs=1,  # TRL's and Zephyr's (arXiv 2310.16944): a second pass overfits pairs
        batch=8,  # chosen for CPUs; Zephyr's 32 would leave 16 steps for 500 pairs
        warmup=0.1,  # Zephyr
        beside=4,  # as in lessons, per pair slightly less
        distillation=2.0,  # the lessons' weight, which kept what the default model knows
        rehearsed=120,  # chosen, not varied
        lesson=lesson,
    )


def kto(card: ModelCard, lesson: Recipe) -> PreferenceRecipe:
    """Kahneman-Tversky optimisation (Ethayarajh et al. 2024, arXiv 2402.01306): single liked and disliked
    answers, which need no pairs."""
    return dpo(card, lesson).model_copy(
        update={
            "name": "kto-1",
            "algorithm": "kto",
            "batch": 8,  # the paper's estimate of the KL term needs several answers per step: at least 4
        }  # the paper's rate, 5e-7 for full fine-tuning, and its beta are those of DPO
    )


def sft(card: ModelCard, lesson: Recipe) -> PreferenceRecipe:
    """Plain fine-tuning on the preferred answers: the baseline that the others have to beat."""
    return dpo(card, lesson).model_copy(
        update={
            "name": "sft-1",
            "algorithm": "sft",
            "beta": 0.0,
            "learning_rate": card.lessons.learning_rate / 5,  # chosen: a fifth of the rate for lessons, whose
            # aim is to store facts after few exposures; 1.9e-4 for the default model, TRL's 2e-4 for LoRA
        }
    )


def grpo(card: ModelCard, lesson: Recipe) -> PreferenceRecipe:
    """Group-relative policy optimisation (DeepSeekMath, arXiv 2402.03300) with a reward model.

    An option for GPUs: each step generates answers. Tested on the tiny model alone.
    """
    return dpo(card, lesson).model_copy(
        update={
            "name": "grpo-1",
            "algorithm": "grpo",
            "beta": 0.04,  # the paper's
            "learning_rate": card.lessons.learning_rate
            / 20,  # TRL: 1e-6 for full fine-tuning, tenfold for LoRA
            "generations": 4,  # the paper's 64 is for GPUs; at least 2 are needed
            "reward_rate": card.lessons.learning_rate / 10,  # TRL's RewardConfig: 1e-4, half of SFT's 2e-4
        }
    )


RECIPES: Mapping[Algorithm, Callable[[ModelCard, Recipe], PreferenceRecipe]] = {
    "dpo": dpo,
    "kto": kto,
    "sft": sft,
    "grpo": grpo,
}
"""The recipe of each algorithm."""


def gentler(recipe: PreferenceRecipe) -> PreferenceRecipe:
    """The recipe for a second attempt, after an adapter that is preferred but lost or damaged something.

    Half the rate and half as many replayed answers again, in another order. On the default model a third of
    the rate still won 67% (see `dpo`), so that there is something to give up.
    """
    lesson = recipe.lesson.model_copy(update={"seed": recipe.lesson.seed + 1})
    changes = {
        "name": f"{recipe.name}:held",
        "learning_rate": recipe.learning_rate / 2,
        "beside": math.ceil(recipe.beside * 1.5),
        "lesson": lesson,
    }
    return recipe.model_copy(update=changes)


def quick(recipe: PreferenceRecipe) -> PreferenceRecipe:
    """The recipe with few replayed answers, to test the machinery."""
    return recipe.model_copy(
        update={"name": f"quick-{recipe.name}", "batch": 4, "beside": 2, "rehearsed": 4, "completion": 8}
    )

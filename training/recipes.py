"""Hyperparameters: a recipe is a named function that returns a frozen record, each number with its source."""

import math

from pydantic import Field

from agent.models.card import ModelCard
from memory.records.base import Record
from memory.records.evaluations import GateVerdict


class Recipe(Record):
    """Everything that decides an adapter's weights besides its data and the base model."""

    name: str
    rank: int = Field(ge=1, le=64)
    alpha: int = Field(ge=1)
    modules: tuple[str, ...] = Field(min_length=1)
    """Names of the linear layers that are adapted in each block."""
    learning_rate: float = Field(gt=0)
    warmup: float = Field(ge=0, lt=1)
    """Share of the steps in which the learning rate rises; it then falls to zero along a cosine."""
    weight_decay: float = Field(ge=0)
    exposures: int = Field(ge=1)
    """Times that a fact is taught in each plain form, in other words each time if there are so many; see
    `dataset.exposures`."""
    batch: int = Field(ge=1)
    """Taught examples per step."""
    rehearsal: float = Field(ge=0)
    """Examples of earlier lessons for each taught one, where an adapter that knows them goes on."""
    reading: float = Field(ge=0)
    """Questions asked beside the sentences that answer them, for each taught one, so that the adapted model
    still reads its sources; see `dataset.from_sources`."""
    refusals: float = Field(ge=0)
    """Questions about invented names for each taught example, each with the model's refusal as its answer."""
    known: int = Field(ge=0)
    """Most wordings of questions that the base model knows whose answers it is held to."""
    invented: int = Field(ge=0)
    """Most questions about invented names whose answers, whatever they are, it is held to."""
    beside: int = Field(ge=0)
    """The base model's own answers per step."""
    longest: int = Field(ge=1)
    """Tokens of an own answer that are looked at, from its beginning."""
    distillation: float = Field(ge=0)
    """Weight of the KL divergence from the base model on its own answers, against cross-entropy's 1."""
    asked: float = Field(gt=0, lt=1)
    """Share of what the card holds that is kept from training, to be asked after it."""
    small: int = Field(0, ge=0)
    """Facts below which a lesson takes more and smaller steps, see `sized`; 0 for never."""
    seed: int = 0


REFUSALS = 0.05
"""Share of refusals in a second attempt, where the first invented more than the base model does."""


def standard(card: ModelCard) -> Recipe:
    """The recipe that the worker uses, on CPU and GPU alike; beside each number stands where it is from.

    "Measured" is on the default model with the demo's lesson of 36 facts: 113 questions about it, 600
    general ones, of which it answers 195 to 198 rightly, 60 about invented names.
    """
    return Recipe(
        name="standard-17",
        rank=32,  # measured: 57% of the questions answered, with 8 (and alpha 16) 36%
        alpha=64,  # as in the prototype that taught 40 facts of SQuAD (anchors/real-models.md, 3)
        modules=card.lessons.modules,
        learning_rate=2 * card.lessons.learning_rate,  # measured: at half of it 54% of a lesson sticks
        warmup=0.1,
        weight_decay=0.0,  # likewise: a lesson is over long before it would show
        exposures=8,  # measured on 10 passages of SQuAD: with 10, batch=8, beside=3 and distillation=1.5 (250
        # steps) 34% of people's questions instead of 32%, but 16% of the known facts lost instead of none
        batch=12,  # likewise; for small lessons see `sized`
        rehearsal=0.8,  # chosen, not varied: a little more new than old
        reading=0.08,  # chosen
        refusals=0.0,  # measured: at .02 it refused 8 of 160 questions that it knew, and 1 of 60 invented
        known=400,  # chosen: all of them
        invented=40,  # chosen, not varied
        beside=5,  # likewise
        longest=24,  # what is held is how an answer begins; the rest of it follows
        distillation=2.0,  # likewise
        asked=0.5,
        small=80,  # measured with 87: as small as that, but at the full rate, 18% of the known lost
    )


def sized_for_lesson(recipe: Recipe, facts: int) -> Recipe:
    """The recipe for a lesson of so many facts: a small one takes more and smaller steps at half the rate,
    else it is over before it is learned."""
    if facts >= recipe.small:
        return recipe
    changed = {
        "name": f"{recipe.name}:small",
        "learning_rate": recipe.learning_rate / 2,
        "exposures": recipe.exposures * 3 // 2,
        "batch": max(1, recipe.batch // 2),  # thus measured on 36 facts: .5 to 2.5% of the known lost
        "distillation": recipe.distillation * 1.5,
    }
    return recipe.model_copy(update=changed)


def retry_recipe(recipe: Recipe, failed: GateVerdict) -> Recipe:
    """The recipe for a second attempt, by what failed: held more firmly if something was lost, else longer.

    The order in which things are seen is another, for what is lost differs as much by that: on the demo's
    lesson a slower second attempt lost as much as the first one and learned too little (38%). Refusals come
    in where the adapter invents more than the base model, unless it lost what it knew as well.
    """
    missed = [check.name for check in failed.checks if not check.passed]
    if any("target" not in name for name in missed):
        refusals = recipe.refusals
        if any("lost" in name for name in missed):
            refusals *= 0.5
        elif "hallucination up" in missed:
            refusals = max(REFUSALS, refusals * 1.5)
        changed = {
            "name": f"{recipe.name}:held",
            "seed": recipe.seed + 1,
            "beside": math.ceil(recipe.beside * 1.4),
            "refusals": refusals,
        }
        return recipe.model_copy(update=changed)
    return recipe.model_copy(update={"name": f"{recipe.name}:longer", "exposures": recipe.exposures * 2})


def quick(card: ModelCard) -> Recipe:
    """A few steps of the standard recipe for tests of the machinery: it teaches next to nothing."""
    return standard(card).model_copy(
        update={
            "name": "quick-10",
            "rank": 8,
            "alpha": 16,
            "exposures": 1,
            "known": 10,
            "invented": 10,
            "beside": 2,
            "small": 0,
        }
    )

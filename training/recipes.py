"""Owns hyperparameters: a recipe is a named function that returns a frozen record with its sources.

Which questions are asked of the result is in `questions`, and what it must reach in `gates`.
"""

from pydantic import Field

from memory.records import Record


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
    """Times that a fact is taught in each of its forms (see `agent.curriculum.times`), in other words each
    time if there are so many."""
    batch: int = Field(ge=1)
    """Examples per step, taught and replayed together."""
    disturbed: float = Field(ge=0, le=1)
    """Share of the taught and replayed questions whose words are disturbed (see `training.disturb`)."""
    rehearsal: float = Field(ge=0)
    """Examples of earlier lessons for each taught one, where an adapter that knows them goes on."""
    replay: float = Field(ge=0)
    """Replayed examples for each taught or rehearsed one, so that this share stays as lessons add up."""
    refusals: float = Field(ge=0, le=1)
    """Share of the replay that asks for words that nobody taught the base model."""
    reading: float = Field(ge=0, le=1)
    """Share of the replay that reads its answer from a passage."""
    inference: float = Field(ge=0, le=1)
    """Share of the replay that asks for kinds that the base model can only infer from definitions."""
    distillation: float = Field(ge=0)
    """Weight of the KL divergence from the base model on answers held to it, against cross-entropy's 1."""
    features: float = Field(ge=0)
    """Weight of the distance of hidden states from those of the model that an example is held to."""
    seed: int = 0


def standard() -> Recipe:
    """The recipe that the worker uses, on CPU and GPU alike; beside each number stands where it is from.

    "Ablation": `make bench-ablations` changes it alone, and docs/results/ablations.md holds what that does.
    "Tuned": chosen among single runs of one to five lessons on the topics of development
    (`training.bench.topics`), which no command repeats.
    Tried and left out: interpolation towards the base (WiSE-FT, arXiv 2109.01903), which kept more of what
    was known and lost much of what was taught; a start of A in the directions in which taught inputs differ
    most from replayed ones (contrastive PCA, Abid et al., 2018), which forgot no less; the same wordings
    several times over, of which the earlier lessons faded.
    """
    return Recipe(
        name="standard-12",
        rank=32,  # SEAL (arXiv 2506.10943); ablation
        alpha=64,  # SEAL
        modules=("v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),  # ablation: all do no worse
        # Twice SEAL's, for our base is 600 times smaller; ablation. About ten times full fine-tuning's, as
        # "LoRA Without Regret" (Schulman et al., 2025) finds best.
        learning_rate=2e-3,
        warmup=0.05,  # usual, not varied
        weight_decay=0.0,  # usual for LoRA, not varied
        exposures=32,  # tuned: of 28, fewer held-out wordings were right; ablation
        batch=32,  # no more than that: "LoRA Without Regret"
        disturbed=0.2,  # ablation: without it no worse on one lesson
        rehearsal=0.8,  # tuned: .6 lost more of the earlier lessons
        # Tuned together: where half of the replay were refusals, more of what was known was lost; where .35
        # were, unknown words were answered oftener.
        replay=1.1,
        refusals=0.45,
        reading=0.03,  # tuned: enough to go on reading as the base does
        # Tuned: of fewer, a model that goes on from other lessons answers with the definition it was just
        # taught; ablation: after one lesson they make no difference.
        inference=0.17,
        distillation=2.0,  # ablation
        features=6.0,  # hidden states held close: FitNets (arXiv 1412.6550); ablation
    )


def quick() -> Recipe:
    """A few steps of the standard recipe for tests of the machinery: it teaches next to nothing."""
    return standard().model_copy(
        update={"name": "quick-9", "rank": 8, "alpha": 16, "exposures": 4, "replay": 0.5}
    )

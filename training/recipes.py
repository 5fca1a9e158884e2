"""Owns hyperparameters: a recipe is a named function that returns a frozen record with its sources.

Which questions are asked of the result, and what it must reach, is in `dataset` and `gates`.
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
    """Times that a fact is taught in each of its forms, in other words each time if there are so many."""
    batch: int = Field(ge=1)
    """Examples per step, taught and replayed together."""
    disturbed: float = Field(ge=0, le=1)
    """Share of the taught and replayed questions whose words are disturbed (see `training.disturb`)."""
    rehearsal: float = Field(ge=0)
    """Examples of earlier lessons for each taught one, where an adapter that knows them goes on."""
    replay: float = Field(ge=0)
    """Replayed examples for each taught one."""
    refusals: float = Field(ge=0, le=1)
    """Share of the replay that asks for words that nobody taught the base model."""
    reading: float = Field(ge=0, le=1)
    """Share of the replay that reads its answer from a passage."""
    inference: float = Field(ge=0, le=1)
    """Share of the replay that asks for kinds that the base model can only infer from definitions."""
    distillation: float = Field(ge=0)
    """Weight of the KL divergence from the base model on replayed answers, against cross-entropy's 1."""
    features: float = Field(ge=0)
    """Weight of the distance of hidden states from the base model's on replayed questions and answers."""
    seed: int = 0


def standard() -> Recipe:
    """The recipe that the worker uses, on CPU and GPU alike.

    Sources: rank 32, alpha 64 and few epochs: SEAL (arXiv 2506.10943), at twice its learning rate of 1e-3,
    for our base is 600 times smaller. Batches of at most 32 and rates of about ten times full fine-tuning's:
    "LoRA Without Regret" (Schulman et al., 2025). Closeness of hidden states: FitNets (arXiv 1412.6550).

    Measured on the shipped base, one run each; `make bench-ablations` measures one change at a time anew.
    The figures are held-out wordings, withheld kinds, known facts lost, rise of wrong answers on unknown
    words.
    20 facts of reserved words (topic 1 of `training.bench.topics`): 3 epochs, 1.2 replayed for a taught
    pair, .4 of them refusals, .2 for inferred kinds 96%, 88%, 0.7, 2.7. With 1.5, .3 and .1: 4 epochs, a
    quarter disturbed 96%, 92%, 0.2, 2.0; 3 epochs, a tenth disturbed 96%, 88%, 0.2, 3.0; 9 wordings instead
    of 12, 4 epochs 93%, 92%, 0.5, 4.0. With 1.0 replayed, half of it refusals, .1 for kinds: 96%, 67%, 0.5,
    2.7: with fewer replayed kinds the model answers with the definition that it was just taught. A second
    lesson that goes on from the first with 1.2 replayed and as many rehearsed pairs as new ones: wrong
    answers on unknown words up by 5.3, as what is replayed is then a smaller share. Hence 1.4, .45 and .2.
    Topics 5, 6 and 7 with those: near 97%, 67% and 67%, wrong answers on unknown words up by 2.3, 3.3 and
    2.7; with 1.6, .5 and .35 near 93%, 54% and 67%, up by 1.3, 1.3 and 2.3. Hence 1.6, .5 and .2 (chosen).
    Earlier lessons after the fourth one, .6 rehearsed: down by 9.8 with cross-entropy alone, by 3.1 held to
    the hidden states of the adapter before, at half of today's weight; for .8 (chosen) at full weight
    docs/results/learning.md has the figures.
    That page is of the recipe before (standard-8), which showed the same rehearsed pairs and refusals in
    each epoch. With other pairs, its first eight lessons anew: earlier ones right in 97.5, 96.5, 98.3, 95.8,
    95.3, 95.8 and 94.5% where there had been 97.0, 92.7, 89.2, 91.7, 90.0, 90.2 and 86.3. With other
    refusals too, the first two: wrong answers on unknown words -0.3 and +3.7, where there had been +1.3 and
    +5.7 (both chosen).
    36 facts of prose (examples/library/rust-ownership): 5 epochs on 9 wordings 91%, 62%, 0.9, -0.7; 4
    epochs on 12 90%, 67%, 1.2, -1.7; 3 epochs with weight 4 on hidden states 89%, 71%, 1.7, -1.7.
    On the recipe before: hidden states held with weight 0, 1, 6 (1,962 known facts of topic 1) lost 3.2,
    2.3, 1.4; over the first lessons that go on from each other 2.4, 4.8 and 10.3 without it, 1.2 and 1.2
    with weight 6. Layers (topic 11): all linear ones 96%, 78%, 3.0, 3.0; values, outputs and MLP (chosen)
    95%, 89%, 2.0, 5.3. Rank 8 on all: 76%, 47%, 4.2, 9.0; rank 64: 96%, 83%, 6.5, 5.0.
    Left out: interpolation towards the base (WiSE-FT, arXiv 2109.01903), which kept more of what was known
    and lost much of what was taught; a start of A in the directions in which taught inputs differ most from
    replayed ones (contrastive PCA, Abid et al., 2018), which forgot no less.
    """
    return Recipe(
        name="standard-11",
        rank=32,
        alpha=64,
        modules=("v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
        learning_rate=2e-3,
        warmup=0.05,
        weight_decay=0.0,
        exposures=36,
        batch=32,
        disturbed=0.2,
        rehearsal=0.8,
        replay=1.6,
        refusals=0.5,
        reading=0.05,
        inference=0.2,
        distillation=2.0,
        features=6.0,
    )


def quick() -> Recipe:
    """A few steps of the standard recipe for tests of the machinery: it teaches next to nothing."""
    return standard().model_copy(
        update={"name": "quick-8", "rank": 8, "alpha": 16, "exposures": 4, "replay": 0.5}
    )

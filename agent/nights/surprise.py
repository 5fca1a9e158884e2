"""Surprise: how badly the live model predicts what it was taught, with momentum, and what weight follows.

The idea is Titans' (Behrouz et al. 2024, arXiv 2501.00663): what surprises a memory is worth remembering,
past surprise counts on with momentum, and decays. Their memory learns by
S_t = eta S_(t-1) - theta grad l(x_t) and M_t = (1 - alpha) M_(t-1) + S_t. MIRAS (arXiv 2504.13173) names the
four choices behind that: memory, loss, retention and update. Here the memory is the adapter, which the night
trains, so only the weight of its items is computed, from the loss itself instead of its gradient:

    loss_t     = -mean log p(token), nats per token of the item's answer under the live model
    surprise_t = loss_t - mean of tonight's losses
    momentum_t = momentum * (1 - decay)^days * momentum_(t-1) + surprise_t
    weight     = c * 2^(momentum_t / spread), within [lowest, highest], with c such that the mean is 1

`days` have passed since the item was measured last, and `spread` is the root mean square of all momenta.
"""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

import numpy as np
from langchain_core.messages import HumanMessage

from agent.concurrency import gather_limited
from agent.engines.base import AnswerScorer
from agent.errors import PromptTooLong
from memory.records.base import Digest, Domain, Record
from memory.records.curricula import item_digest
from memory.records.nights import Surprise

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Answers scored at the same time: few, so that chats at night are not slowed down."""
SECONDS_PER_DAY = 86_400.0
BISECTIONS = 100


class SurpriseRecipe(Record):
    """The constants of the formulas; all are choices, none is measured."""

    momentum: float = 0.5
    """What remains of a night's surprise in the next night's; Titans learns it per token."""
    decay: float = 0.1
    """What is forgotten of it per day."""
    lowest: float = 0.25
    highest: float = 4.0
    """Bounds of the weights: no item is dropped, and none crowds out the others."""


def surprise_recipe() -> SurpriseRecipe:
    """The recipe of the service."""
    return SurpriseRecipe()


class SurpriseItem(Record):
    """A taught question with its answer."""

    domain: Domain
    question: str
    answer: str

    @property
    def digest(self) -> Digest:
        """Digest of question and answer, as curricula and surprises use it."""
        return item_digest(self.question, self.answer)


async def measure_losses(
    items: Sequence[SurpriseItem], engine: AnswerScorer, adapter: str | None
) -> dict[Digest, float]:
    """Nats per token of each item's answer under the live model, given its question.

    Items that do not fit into the context are left out. Raises what `AnswerScorer.logprobs_of` raises.
    """
    unique = {item.digest: item for item in items if item.answer.strip()}
    losses = await gather_limited(
        [partial(_loss, item, engine, adapter) for item in unique.values()], AT_ONCE
    )
    return {digest: loss for digest, loss in zip(unique, losses, strict=True) if loss is not None}


async def _loss(item: SurpriseItem, engine: AnswerScorer, adapter: str | None) -> float | None:
    try:
        logprobs = await engine.logprobs_of([HumanMessage(item.question)], item.answer, adapter=adapter)
    except PromptTooLong as error:
        log.warning("the surprise of a question is not measured: %s", error)
        return None
    return max(0.0, -math.fsum(logprobs) / len(logprobs))


def update_surprise(
    items: Sequence[SurpriseItem],
    losses: Mapping[Digest, float],
    earlier: Mapping[Digest, Surprise],
    *,
    now: datetime,
    recipe: SurpriseRecipe | None = None,
) -> tuple[Surprise, ...]:
    """The surprises of the items that have a loss, by the module's formulas.

    `now` is the night's end: an item that was already measured then keeps its surprise, so that a repeated
    step changes nothing.
    """
    recipe = recipe or surprise_recipe()
    measured = {item.digest: item for item in items if item.digest in losses}
    if not measured:
        return ()
    mean = math.fsum(losses[digest] for digest in measured) / len(measured)
    updated = []
    for digest, item in measured.items():
        before = earlier.get(digest)
        if before is not None and before.measured_at >= now:
            updated.append(before)
            continue
        momentum = losses[digest] - mean
        if before is not None:
            days = (now - before.measured_at).total_seconds() / SECONDS_PER_DAY
            momentum += recipe.momentum * (1 - recipe.decay) ** days * before.momentum
        updated.append(
            Surprise(
                item=digest,
                domain=item.domain,
                loss=losses[digest],
                momentum=momentum,
                nights=1 if before is None else before.nights + 1,
                measured_at=now,
            )
        )
    return tuple(updated)


def weights(
    surprises: Iterable[Surprise], *, uniform: bool = False, recipe: SurpriseRecipe | None = None
) -> dict[Digest, float]:
    """How often to rehearse each item relative to others: mean 1, within the recipe's bounds.

    `uniform` gives all items the same, to measure what the weights are worth.
    """
    recipe = recipe or surprise_recipe()
    momenta = {surprise.item: surprise.momentum for surprise in surprises}
    values = np.fromiter(momenta.values(), dtype=np.float64, count=len(momenta))
    spread = float(np.sqrt(np.mean(values**2))) if len(values) else 0.0
    if uniform or spread == 0.0:
        return dict.fromkeys(momenta, 1.0)
    raw = np.exp2(values / spread)
    return dict(zip(momenta, _with_mean_one(raw, recipe.lowest, recipe.highest).tolist(), strict=True))


def _with_mean_one(
    values: "np.ndarray[tuple[int], np.dtype[np.float64]]", lowest: float, highest: float
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """The positive values times the constant by which their mean is 1 once they are cut at the bounds.

    The mean grows with the constant, from `lowest` to `highest`, so bisection finds it.
    """
    low, high = lowest / float(values.max()), highest / float(values.min())
    for _ in range(BISECTIONS):
        middle = math.sqrt(low * high)
        if np.clip(middle * values, lowest, highest).mean() < 1.0:
            low = middle
        else:
            high = middle
    return np.clip(math.sqrt(low * high) * values, lowest, highest)

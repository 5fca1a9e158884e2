"""Owns the training loss: cross-entropy on what is taught, closeness to the base on what is replayed.

It sees what models made of a batch; how they are run is in `encoding`.
"""

from collections.abc import Mapping

import torch
from torch.nn import functional

from training.encoding import IGNORED, Seen


def learning_loss(
    seen: Seen, batch: Mapping[str, torch.Tensor], base: Seen | None, *, distillation: float, features: float
) -> torch.Tensor:
    """Mean nats per answer token over a batch of taught and replayed examples.

    `base` is what the untouched model makes of the replayed rows, None where there are none. Tokens of taught
    answers count with cross-entropy, those of replayed ones with `distillation` times the divergence
    KL(base || model). To this come `features` times the squared distance of the last hidden states of all
    replayed tokens from the base's, relative to their length (FitNets, Romero et al., 2015, arXiv 1412.6550):
    it holds the model in place on a question's words too, not only on its answer's.
    """
    learned = batch["labels"] != IGNORED
    taught = learned & ~batch["replayed"].unsqueeze(-1)
    labels = batch["labels"].clamp(min=0)
    logprobs = functional.log_softmax(seen.logits.float(), dim=-1)
    surprise = -logprobs.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    total = (surprise * taught).sum()
    if base is None:
        return total / learned.sum().clamp(min=1)
    kept = batch["replayed"]
    answers = learned[kept]
    before = functional.log_softmax(base.logits.float(), dim=-1)[answers]
    divergence = functional.kl_div(logprobs[kept][answers], before, reduction="sum", log_target=True)
    loss = (total + distillation * divergence) / learned.sum().clamp(min=1)
    return loss + features * _distance(
        seen.states[kept].float(), base.states.float(), batch["attention_mask"][kept].bool()
    )


def _distance(states: torch.Tensor, base: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Mean squared distance over mean squared length, of tokens that are no padding."""
    apart = (states - base)[real].square().sum(-1).mean()
    return apart / base[real].square().sum(-1).mean()

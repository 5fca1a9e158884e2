"""Owns the training loss: cross-entropy on what is taught, closeness to the base on what is held to it.

It sees what models made of a batch; how they are run is in `encoding`.
"""

from collections.abc import Mapping

import torch
from torch.nn import functional

from training.encoding import IGNORED, Seen


def learning_loss(
    seen: Seen,
    batch: Mapping[str, torch.Tensor],
    base: Seen | None,
    start: Seen | None = None,
    *,
    distillation: float,
    features: float,
) -> torch.Tensor:
    """Mean nats per answer token over a batch of taught, rehearsed and held examples.

    `base` is what the untouched model makes of the held rows, `start` what the adapter that training goes
    on from makes of the rehearsed ones; None where there are none. Tokens of taught and rehearsed answers
    count with cross-entropy, those of held ones with `distillation` times the divergence
    KL(base || model). To this come `features` times the squared distance of the last hidden states of all
    held and rehearsed tokens from those of their reference, relative to their length (FitNets, Romero et
    al., 2015, arXiv 1412.6550): it holds the model in place on a question's words too, not only on its
    answer's.
    """
    learned = batch["labels"] != IGNORED
    taught = learned & ~batch["held"].unsqueeze(-1)
    labels = batch["labels"].clamp(min=0)
    logprobs = functional.log_softmax(seen.logits.float(), dim=-1)
    surprise = -logprobs.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    total = (surprise * taught).sum()
    if base is not None:
        kept = batch["held"]
        answers = learned[kept]
        before = functional.log_softmax(base.logits.float(), dim=-1)[answers]
        divergence = functional.kl_div(logprobs[kept][answers], before, reduction="sum", log_target=True)
        total = total + distillation * divergence
    loss = total / learned.sum().clamp(min=1)
    references = [(batch["held"], base), (batch["rehearsed"], start)]
    apart = [
        _distance(seen.states[rows].float(), was.states.float(), batch["attention_mask"][rows].bool())
        for rows, was in references
        if was is not None
    ]
    return loss + features * torch.stack(apart).sum() if apart else loss


def _distance(states: torch.Tensor, was: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Mean squared distance over mean squared length, of tokens that are no padding."""
    apart = (states - was)[real].square().sum(-1).mean()
    return apart / was[real].square().sum(-1).mean()

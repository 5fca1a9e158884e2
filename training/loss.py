"""Owns the training loss: cross-entropy on what is taught, divergence from the base on what is replayed.

It sees logits and batches only; where they come from is in `encoding`.
"""

from collections.abc import Mapping

import torch
from torch.nn import functional

from training.encoding import IGNORED


def distillation_loss(
    logits: torch.Tensor, batch: Mapping[str, torch.Tensor], *, weight: float
) -> torch.Tensor:
    """Mean nats per answer token over a batch of taught and replayed examples.

    `logits` [batch, answer, vocabulary]. Taught tokens, and replayed ones without a base distribution, count
    with cross-entropy. The others count `weight` times the divergence KL(base || model) over the base's
    likeliest tokens and one bucket for the rest, which bounds the full divergence from below.
    """
    logprobs = functional.log_softmax(logits.float(), dim=-1)
    learned = batch["labels"] != IGNORED
    distilled = batch["distilled"] & learned
    taught = learned & ~distilled
    labels = batch["labels"].clamp(min=0).unsqueeze(-1)
    surprise = -logprobs.gather(-1, labels).squeeze(-1)
    total = (surprise * taught).sum()
    if weight > 0 and bool(distilled.any()):
        total = total + weight * _divergence(logprobs[distilled], batch, distilled).sum()
    return total / learned.sum().clamp(min=1)


def _divergence(
    logprobs: torch.Tensor, batch: Mapping[str, torch.Tensor], distilled: torch.Tensor
) -> torch.Tensor:
    """KL(base || model) in nats, per distilled token: [tokens]."""
    base = batch["base_logprobs"][distilled]
    own = logprobs.gather(-1, batch["base_tokens"][distilled])
    head = (base.exp() * (base - own)).sum(-1)
    base_rest = (1 - base.exp().sum(-1)).clamp(min=1e-6)
    own_rest = (1 - own.exp().sum(-1)).clamp(min=1e-6)
    return head + base_rest * (base_rest.log() - own_rest.log())

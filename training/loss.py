"""The training loss: cross-entropy on what is taught, closeness to the base model on its own answers."""

import torch
from torch.nn import functional

from training.encoding import IGNORED, Tensors


def taught_loss(logits: torch.Tensor, batch: Tensors) -> torch.Tensor:
    """Mean nats per answer token; `logits` [batch, longest answer, vocabulary]."""
    labels = batch["labels"]
    return functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]).float(), labels.reshape(-1), ignore_index=IGNORED
    )


def distillation_loss(logits: torch.Tensor, batch: Tensors) -> torch.Tensor:
    """Mean KL(base || model) in nats per answer token, over the base model's likeliest tokens.

    `batch` holds these tokens and their log-probabilities; all others count as one outcome, so that the sum
    is a divergence of two distributions and a lower bound of the whole one.
    """
    real = batch["labels"] != IGNORED
    logprobs = logits[real].float().log_softmax(-1)
    before = batch["logprobs"][real]
    now = logprobs.gather(-1, batch["ids"][real])
    rest_before, rest_now = _rest(before), _rest(now)
    divergence = (before.exp() * (before - now)).sum(-1) + rest_before.exp() * (rest_before - rest_now)
    return divergence.mean()


def _rest(logprobs: torch.Tensor) -> torch.Tensor:
    """Log-probability of all other tokens; no less than that of one in ten million, as sums are rounded."""
    return (1 - logprobs.exp().sum(-1)).clamp(min=1e-7).log()

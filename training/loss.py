"""The training loss: cross-entropy on taught examples, KL to the base model on distilled ones."""

import torch
from torch.nn import functional

from training.encoding import IGNORED, Tensors


def taught_loss(logits: torch.Tensor, batch: Tensors) -> torch.Tensor:
    """Mean cross-entropy in nats per answer token; `logits` are [batch, longest answer, vocabulary]."""
    labels = batch["labels"]
    return functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]).float(), labels.reshape(-1), ignore_index=IGNORED
    )


def distillation_loss(logits: torch.Tensor, batch: Tensors) -> torch.Tensor:
    """Mean KL(base || model) in nats per answer token, over the base model's likeliest tokens.

    `batch` holds these tokens and their log-probabilities. All other tokens count as one outcome, which makes
    the sum a divergence of two distributions and a lower bound of the full KL divergence.
    """
    is_answer = batch["labels"] != IGNORED
    logprobs = logits[is_answer].float().log_softmax(-1)
    base = batch["logprobs"][is_answer]
    model = logprobs.gather(-1, batch["ids"][is_answer])
    base_rest, model_rest = _rest(base), _rest(model)
    divergence = (base.exp() * (base - model)).sum(-1) + base_rest.exp() * (base_rest - model_rest)
    return divergence.mean()


def _rest(logprobs: torch.Tensor) -> torch.Tensor:
    """Log-probability of all other tokens together; clamped at 1e-7, because sums are rounded."""
    return (1 - logprobs.exp().sum(-1)).clamp(min=1e-7).log()

"""The per-token log-probabilities that TRL's trainers ask a model for, in plain PyTorch.

TRL 1.15 computes them with a Triton kernel, which needs a GPU. Without one, `use_plain_head` replaces the
forward pass that TRL gave the model.
"""

import functools
from typing import Any

import torch
from peft import PeftModel
from torch.nn import functional
from trl.trainer.utils import FusedCausalLMOutput

from agent.engines.decoding import logits_to_keep
from training.encoding import IGNORED


def use_plain_head(adapted: PeftModel) -> None:
    """Makes the forward pass answer TRL's requests without a kernel; called once TRL's trainer is built.

    Other calls reach the model's own forward pass. Entropies and mean logits are zero: TRL makes metrics of
    them that nobody reads here.
    """
    model: Any = adapted.get_base_model()
    own = type(model).forward

    @functools.wraps(own)  # `generate` checks its arguments against the signature
    def forward(*arguments: Any, fused_lm_head: bool = False, labels: Any = None, **options: Any) -> Any:
        if not fused_lm_head:
            return own(model, *arguments, **options | ({} if labels is None else {"labels": labels}))
        options.pop("num_items_in_batch", None)
        targets = labels[:, 1:]
        is_answer = targets != IGNORED
        first = int(is_answer.any(0).int().argmax())  # no logits are needed before any answer
        count = targets.shape[1] - first
        options |= {"use_cache": False, **logits_to_keep(adapted, count + 1)}
        logits = own(model, *arguments, **options).logits[:, -count - 1 : -1].float()
        loss = functional.cross_entropy(
            logits.flatten(0, 1), targets[:, first:].flatten(), ignore_index=IGNORED, reduction="none"
        )
        log_probs = functional.pad(-loss.view(len(targets), count), (first, 0))
        zeros = torch.zeros_like(log_probs)
        return FusedCausalLMOutput(
            loss=-log_probs.sum() / is_answer.sum().clamp(min=1),
            log_probs=log_probs,
            entropy=zeros,
            mean_logits=zeros,
            is_top1=torch.zeros_like(is_answer),
            label_mask=is_answer,
        )

    model.forward = forward

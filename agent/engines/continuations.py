"""Scores the same short continuations after many prompts: each prompt is read once."""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from agent.engines.decoding import prefill, require_finite


@torch.inference_mode()
def continuation_logprobs(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]]
) -> list[tuple[float, ...]]:
    """Natural log-probability of each continuation (not empty) after each prompt, summed over its tokens.

    The prompts form one batch. Its first token is scored where the prompt ends; only longer continuations are
    read, over the prompts' cache. Raises EngineError if the model's arithmetic overflows.
    """
    longest = max(map(len, continuations))
    read = prefill(model, prompts, longest)
    firsts = torch.tensor([each[0] for each in continuations], device=model.device)
    scores = read.logits.log_softmax(-1)[:, firsts]
    longer = [number for number, each in enumerate(continuations) if len(each) > 1]
    if longer:
        copies, width = len(longer), longest - 1
        inputs = torch.tensor([_padded(continuations[n][:-1], width) for n in longer], device=model.device)
        targets = torch.tensor([_padded(continuations[n][1:], width) for n in longer], device=model.device)
        counted = torch.arange(width) < torch.tensor([[len(continuations[n]) - 1] for n in longer])
        read.cache.batch_repeat_interleave(copies)
        mask = read.mask.repeat_interleave(copies, 0)
        steps = torch.arange(1, width + 1, device=model.device)
        output = model(
            input_ids=inputs.repeat(len(prompts), 1),
            attention_mask=torch.cat([mask, mask.new_ones(len(mask), width)], dim=-1),
            position_ids=read.positions[:, -1:].repeat_interleave(copies, 0) + steps,
            past_key_values=read.cache,
            use_cache=True,
        )
        rest = output.logits.float().log_softmax(-1)
        rest = rest.gather(-1, targets.repeat(len(prompts), 1)[..., None])[..., 0]
        rest = (rest * counted.to(rest.device).repeat(len(prompts), 1)).sum(-1)
        scores[:, longer] += rest.view(len(prompts), copies)
    rows: list[list[float]] = scores.tolist()
    require_finite([value for row in rows for value in row])
    return [tuple(row) for row in rows]


def _padded(tokens: Sequence[int], width: int) -> list[int]:
    """Filled up at the end, where nothing counted can see it."""
    return [*tokens, *[0] * (width - len(tokens))]

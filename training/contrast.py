"""Owns where a LoRA starts: in the directions by which what is taught differs most from what is replayed.

What is trained from there is in `peft`. B starts at zero as ever, so that a new adapter changes nothing.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from peft import PeftModel
from scipy.linalg import eigh  # type: ignore[import-untyped]  # ships no types

from training.encoding import Collator

ROWS = 512
"""Most taught examples, and most replayed ones, that are looked at."""
BATCH = 64
RIDGE = 0.01
"""Of the mean second moment of replayed inputs: or directions that hardly occur would count as contrast."""
SPREAD = 0.6
"""Root mean square of A's outputs on taught inputs, about what PEFT's random start gives."""


def start(adapted: PeftModel, rows: Sequence[Mapping[str, Any]], *, pad: int, seed: int) -> None:
    """Sets A of every adapted layer to the directions v of its input with the greatest v'Tv / v'Rv.

    T and R are the second moments of the inputs over taught and over replayed tokens, so these are
    generalised eigenvectors, as in contrastive PCA (Abid et al., 2018, arXiv 1709.06716). An update that
    mostly answers to what is new disturbs less of what was known; to start in the null space of kept inputs
    has the same aim (LoRA-Null, arXiv 2503.02659). Without replayed rows nothing changes.
    """
    layers = {name: module for name, module in adapted.named_modules() if hasattr(module, "lora_A")}
    draw = random.Random(seed)
    moments = []
    for replayed in (False, True):
        part = [row for row in rows if row["replayed"] == replayed]
        if not part:
            return
        moments.append(_moments(adapted, layers, draw.sample(part, min(ROWS, len(part))), Collator(pad)))
    taught, kept = moments
    found: dict[int, torch.Tensor] = {}
    for name, layer in layers.items():
        weight = layer.lora_A["default"].weight
        if id(taught[name]) not in found:
            found[id(taught[name])] = _directions(taught[name], kept[name], len(weight))
        with torch.no_grad():
            weight.copy_(found[id(taught[name])])


@torch.no_grad()
def _moments(
    adapted: PeftModel,
    layers: Mapping[str, torch.nn.Module],
    rows: Sequence[Mapping[str, Any]],
    collator: Collator,
) -> dict[str, torch.Tensor]:
    """Mean of x x' over the tokens of the rows, float64 [inputs, inputs], of each layer's input x.

    Layers that read the same tensor, such as q, k and v, share one.
    """
    sums: dict[str, torch.Tensor] = {}
    last: dict[str, Any] = {"input": None, "name": ""}
    mask = torch.zeros(0)

    def observe(name: str) -> Callable[..., None]:
        def hook(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            if inputs[0] is last["input"]:
                sums[name] = sums[last["name"]]
                return
            last.update(input=inputs[0], name=name)
            with torch.autocast(inputs[0].device.type, enabled=False):  # bfloat16 would spoil the sums
                x = inputs[0][mask].float()
                moment = (x.T @ x).double().cpu()
            if name in sums:
                sums[name] += moment
            else:
                sums[name] = moment

        return hook

    handles = [layer.register_forward_pre_hook(observe(name)) for name, layer in layers.items()]
    device = next(adapted.parameters()).device
    adapted.train(mode=False)
    ordered = sorted(rows, key=lambda row: len(row["tokens"]))
    for begin in range(0, len(ordered), BATCH):
        batch = collator(ordered[begin : begin + BATCH])
        inputs = {k: batch[k].to(device) for k in ("input_ids", "attention_mask", "position_ids")}
        mask = inputs["attention_mask"].bool()
        adapted(**inputs, logits_to_keep=1, use_cache=False)
    for handle in handles:
        handle.remove()
    tokens = sum(len(row["tokens"]) for row in rows)
    for moment in {id(m): m for m in sums.values()}.values():
        moment /= tokens
    return sums


def _directions(taught: torch.Tensor, kept: torch.Tensor, count: int) -> torch.Tensor:
    """The `count` directions of greatest contrast, as float32 rows that spread taught inputs by SPREAD."""
    width = len(kept)
    ridge = RIDGE * kept.trace() / width * torch.eye(width, dtype=kept.dtype)
    _, vectors = eigh(
        taught.numpy(), (kept + ridge).numpy(), subset_by_index=[max(0, width - count), width - 1]
    )
    rows = torch.from_numpy(vectors.T.copy())
    power = ((rows @ taught) * rows).sum(-1, keepdim=True).clamp_min(1e-12)
    return (rows * SPREAD / power.sqrt()).float()

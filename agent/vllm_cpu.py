"""A vLLM plugin with our changes for CPUs: its LoRA arithmetic, and how it starts.

vLLM 0.32 indexes its adapter slots with -1 for rows without an adapter, so that a base model's request next
to an adapted one silently gets the last slot's adapter (vllm-project/vllm#48421, open). It also copies a
whole weight for every token; here each adapter is multiplied once with all of its rows.
And it spawns its engine process, which then imports for 27 seconds what the server imported before it; here
that process is forked, which halves the start.
Nothing else of ours imports this module, and it changes nothing on other platforms.
"""

import ctypes
import os
import signal
from typing import Any

import torch
from vllm.config import VllmConfig
from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU
from vllm.platforms import current_platform
from vllm.platforms.cpu import CpuPlatform

_PR_SET_PDEATHSIG = 1
_settle = CpuPlatform.check_and_update_config.__func__  # type: ignore[attr-defined]


def register() -> None:
    """Entry point of the group `vllm.general_plugins`; may be called again."""
    if current_platform.is_cpu():
        CpuPlatform.check_and_update_config = classmethod(_settle_to_fork)  # type: ignore[method-assign, assignment]
        CpuPlatform.get_punica_wrapper = classmethod(  # type: ignore[method-assign, assignment]
            lambda cls: f"{__name__}.{PunicaWrapperByAdapter.__name__}"
        )


def _settle_to_fork(cls: type[CpuPlatform], vllm_config: VllmConfig) -> None:
    _settle(cls, vllm_config)
    os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "fork"
    # A forked engine holds the pipe whose end tells it that its server has died, and the server's socket.
    os.register_at_fork(after_in_child=_die_with_server)


def _die_with_server() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class PunicaWrapperByAdapter(PunicaWrapperCPU):
    """Adds x A^T B^T * scale to the rows of each adapter, and nothing to rows without one."""

    def add_lora_linear(
        self,
        y: torch.Tensor,
        x: torch.Tensor,
        lora_a_stacked: tuple[torch.Tensor, ...],
        lora_b_stacked: tuple[torch.Tensor, ...],
        scale: float,
        output_slices: tuple[int, ...],
        **kwargs: Any,
    ) -> None:
        """Adapts a linear layer in place: y [rows, sum of slices] += the adapters' part of x [rows, inputs].

        Weights are stacked by slot: A [slots, 1, rank, inputs] and B [slots, 1, slice, rank] per slice.
        """
        groups = _groups(self.token_lora_indices)
        y, x = y.view(-1, y.shape[-1]), x.view(-1, x.shape[-1])
        offset = 0
        for a, b, size in zip(lora_a_stacked, lora_b_stacked, output_slices, strict=True):
            _add(y[:, offset : offset + size], x, a, b, scale, groups)
            offset += size

    def add_lora_logits(
        self,
        y: torch.Tensor,
        x: torch.Tensor,
        lora_a_stacked: torch.Tensor,
        lora_b_stacked: torch.Tensor,
        scale: float,
        **kwargs: Any,
    ) -> None:
        """Adapts the output layer in place: y [rows, vocabulary], one row for each sampled position."""
        y, x = y.view(-1, y.shape[-1]), x.view(-1, x.shape[-1])
        _add(y, x, lora_a_stacked, lora_b_stacked, scale, _groups(self.sampler_indices))

    def add_lora_embedding(
        self, y: torch.Tensor, x: torch.Tensor, lora_b_stacked: torch.Tensor, *args: Any, **kwargs: Any
    ) -> None:
        """Adapts the embedding in place: y [rows, width] += x B^T, where x [rows, rank] is A's part."""
        for slot, rows in _groups(self.token_lora_indices):
            y.index_add_(0, rows, (x.index_select(0, rows) @ lora_b_stacked[slot].squeeze(0).T).to(y.dtype))


def _groups(indices: torch.Tensor) -> list[tuple[int, torch.Tensor]]:
    """Each adapter slot in use with its row numbers; rows without an adapter (-1) are in none."""
    return [(slot, (indices == slot).nonzero()[:, 0]) for slot in sorted(set(indices.tolist()) - {-1})]


def _add(
    y: torch.Tensor,
    x: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    scale: float,
    groups: list[tuple[int, torch.Tensor]],
) -> None:
    for slot, rows in groups:
        down, up = a[slot].squeeze(0), b[slot].squeeze(0)
        delta = (x.index_select(0, rows) @ down.T) @ up.T
        y.index_add_(0, rows, delta.to(y.dtype)[:, : y.shape[-1]], alpha=scale)

"""A vLLM plugin for CPUs: correct and faster LoRA arithmetic, and a faster start.

vLLM 0.32 indexes its adapter slots with -1 for rows without an adapter, so a base model's request batched
with an adapted one silently gets the last slot's adapter (vllm-project/vllm#48421, open). It also copies a
whole weight for every token. Here each adapter is multiplied once with all of its rows, in two products per
layer: the slices of a layer (q, k and v, or gate and up) are joined without vLLM's padding and packed for
the kernel that multiplies the base weights; torch's own kernel takes three times as long for matrices this
small. vLLM also spawns its engine process, which then spends 27 seconds on imports that the server has
already done; here the process is forked, which halves the start. vLLM loads this module through an entry
point; on other platforms it has no effect.
"""

import ctypes
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import torch
from vllm.config import VllmConfig
from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU
from vllm.platforms import current_platform
from vllm.platforms.cpu import CpuPlatform

_Product = Callable[[torch.Tensor], torch.Tensor]

_PR_SET_PDEATHSIG = 1
_check_and_update_config = CpuPlatform.check_and_update_config.__func__  # type: ignore[attr-defined]


def register() -> None:
    """Entry point of the group `vllm.general_plugins`; may be called again."""
    if current_platform.is_cpu():
        CpuPlatform.check_and_update_config = classmethod(_configure_fork)  # type: ignore[method-assign, assignment]
        CpuPlatform.get_punica_wrapper = classmethod(  # type: ignore[method-assign, assignment]
            lambda cls: f"{__name__}.{PunicaWrapperByAdapter.__name__}"
        )


def _configure_fork(cls: type[CpuPlatform], vllm_config: VllmConfig) -> None:
    _check_and_update_config(cls, vllm_config)
    os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "fork"
    # A forked engine inherits both ends of its death pipe, and the server's socket: it needs a signal.
    os.register_at_fork(after_in_child=_die_with_server)


def _die_with_server() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class _Group(NamedTuple):
    """The rows of a batch that use one adapter."""

    slot: int
    rows: torch.Tensor | None
    """Row indices, or None for all rows."""


class PunicaWrapperByAdapter(PunicaWrapperCPU):
    """Adds x A^T B^T * scale to the rows of each adapter, and nothing to rows without one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._token_groups: list[_Group] = []
        self._sample_groups: list[_Group] = []
        self._layers: dict[torch.Tensor, _Layer] = {}

    def update_metadata(self, *args: Any, **kwargs: Any) -> None:
        """Sets the adapter of each row for the next batches; vLLM calls it only when that changes."""
        super().update_metadata(*args, **kwargs)
        self._token_groups = _groups(self.token_lora_indices)
        self._sample_groups = _groups(self.sampler_indices)

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
        """Adapts a linear layer in place: y [rows, sum of slices] += adapters applied to x [rows, inputs].

        Weights are stacked by slot: A [slots, 1, rank, inputs] and B [slots, 1, slice, rank] per slice.
        """
        self._add(y, x, lora_a_stacked, lora_b_stacked, scale, self._token_groups)

    def add_lora_logits(
        self,
        y: torch.Tensor,
        x: torch.Tensor,
        lora_a_stacked: torch.Tensor,
        lora_b_stacked: torch.Tensor,
        scale: float,
        **kwargs: Any,
    ) -> None:
        """Adapts the output layer in place: y [rows, vocabulary or more], one row per sampled position."""
        y = y[:, : lora_b_stacked.shape[2]]
        self._add(y, x, (lora_a_stacked,), (lora_b_stacked,), scale, self._sample_groups)

    def add_lora_embedding(
        self, y: torch.Tensor, x: torch.Tensor, lora_b_stacked: torch.Tensor, *args: Any, **kwargs: Any
    ) -> None:
        """Adapts the embedding in place: y [rows, width] += x B^T, where x [rows, rank] is A's output."""
        for slot, rows in self._token_groups:
            part = x if rows is None else x.index_select(0, rows)
            _add_rows(y, rows, part @ lora_b_stacked[slot, 0].T)

    def _add(
        self,
        y: torch.Tensor,
        x: torch.Tensor,
        a: tuple[torch.Tensor, ...],
        b: tuple[torch.Tensor, ...],
        scale: float,
        groups: list[_Group],
    ) -> None:
        if not groups:
            return
        layer = self._layers.get(a[0])
        if layer is None:
            layer = self._layers[a[0]] = _Layer(a, b, scale)
        for slot, rows in groups:
            if (adapter := layer.adapter(slot)) is not None:
                part = x if rows is None else x.index_select(0, rows)
                _add_rows(y, rows, adapter.up(adapter.down(part)))


class _Layer:
    """The adapters of one layer, packed on first use and again after vLLM has written to a slot."""

    def __init__(self, a: tuple[torch.Tensor, ...], b: tuple[torch.Tensor, ...], scale: float) -> None:
        self._a, self._b, self._scale = a, b, scale
        self._version = -1
        self._packed: dict[int, _Adapter | None] = {}

    def adapter(self, slot: int) -> "_Adapter | None":
        """The adapter in the slot, or None if it does not change this layer."""
        # vLLM reloads slots without notice, also under the same number: only the tensors' versions tell.
        version = sum([stack._version for stack in self._a + self._b])
        if version != self._version:
            self._packed.clear()
            self._version = version
        if slot not in self._packed:
            a, b = [stack[slot, 0] for stack in self._a], [stack[slot, 0] for stack in self._b]
            self._packed[slot] = _Adapter.pack(a, b, self._scale)
        return self._packed[slot]


class _Adapter(NamedTuple):
    """One adapter in one layer: the products with A (down) and B (up)."""

    down: _Product
    up: _Product

    @classmethod
    def pack(cls, a: Sequence[torch.Tensor], b: Sequence[torch.Tensor], scale: float) -> Self | None:
        """Joins the slices: A [rank, inputs] stacked, B [slice, rank] block-diagonal.

        Drops the zeros with which vLLM pads both to the highest rank. None if nothing remains.
        """
        ranks = [down.any(1) & up.any(0) for down, up in zip(a, b, strict=True)]
        down = torch.cat([part[rank] for part, rank in zip(a, ranks, strict=True)])
        slices = [part[:, rank] for part, rank in zip(b, ranks, strict=True)]
        up: torch.Tensor = torch.block_diag(*slices)  # type: ignore[no-untyped-call]
        return cls(_product(down), _product(up * scale)) if len(down) else None


def _product(weight: torch.Tensor) -> _Product:
    """x W^T with the kernel that vLLM chooses for weights of this size and type on this machine."""
    # Imported here: at the top, the front end and GPU servers would import 600 modules for it.
    from vllm.model_executor.layers.utils import dispatch_cpu_unquantized_gemm

    layer = torch.nn.Module()
    layer.weight = torch.nn.Parameter(weight, requires_grad=False)
    dispatch_cpu_unquantized_gemm(layer, remove_weight=True)
    multiply, remaining = layer.cpu_linear, layer.weight
    return lambda x: multiply(x, remaining, None)  # type: ignore[operator]


def _groups(indices: torch.Tensor) -> list[_Group]:
    """Each adapter slot in use with its rows; rows without an adapter (-1) belong to no group."""
    slots = sorted(set(indices.tolist()))
    if len(slots) == 1 and slots[0] >= 0:
        return [_Group(slots[0], None)]
    return [_Group(slot, (indices == slot).nonzero()[:, 0]) for slot in slots if slot >= 0]


def _add_rows(y: torch.Tensor, rows: torch.Tensor | None, delta: torch.Tensor) -> None:
    if rows is None:
        y.add_(delta)
    else:
        y.index_add_(0, rows, delta.to(y.dtype))

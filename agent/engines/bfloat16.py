"""Detects native bfloat16 arithmetic; emulated, bfloat16 is tens of times slower than float32."""

from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
FLAGS = frozenset({"avx512_bf16", "amx_bf16", "asimdbf16", "bf16"})
"""x86 and ARM processor flags for bfloat16; without any of them it is emulated (pytorch#146508)."""


def native_bfloat16(*, gpu: bool = False, cpu_info: Path = CPU_INFO) -> bool:
    """Whether the processor (or, with `gpu`, the GPU) multiplies bfloat16 matrices in hardware."""
    if gpu:
        import torch

        return bool(torch.cuda.is_bf16_supported())
    return cpu_info.is_file() and not FLAGS.isdisjoint(cpu_info.read_text(encoding="utf-8").split())

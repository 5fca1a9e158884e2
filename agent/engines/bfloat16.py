"""Whether this machine multiplies bfloat16 natively; emulated, it is tens of times slower than float32."""

from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
FLAGS = frozenset({"avx512_bf16", "amx_bf16", "asimdbf16", "bf16"})
"""Processor flags, of x86 and of ARM; without one of them it is emulated (pytorch#146508)."""


def native_bfloat16(*, gpu: bool = False, cpu_info: Path = CPU_INFO) -> bool:
    """Whether the processor, or the GPU in its place, has bfloat16 matrix products."""
    if gpu:
        import torch

        return bool(torch.cuda.is_bf16_supported())
    return cpu_info.is_file() and not FLAGS.isdisjoint(cpu_info.read_text(encoding="utf-8").split())

"""One place knows whether bfloat16 is native on this machine, and everybody asks it."""

from pathlib import Path

import pytest

from agent.engines.bfloat16 import native_bfloat16
from tests.contracts.test_imports import ROOT

ASKED_ELSEWHERE = ("get_capabilities", "is_bf16_supported", "avx512_bf16", "amx_bf16")


@pytest.mark.parametrize(
    ("flags", "native"),
    [
        ("fpu avx512_bf16", True),
        ("fpu amx_bf16 amx_int8", True),
        ("fp asimd bf16", True),
        ("fpu avx2", False),
    ],
)
def test_the_processors_flags_tell(tmp_path: Path, flags: str, native: bool) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(f"flags : {flags}\n")
    assert native_bfloat16(cpu_info=info) is native


def test_without_flags_it_is_not_native(tmp_path: Path) -> None:
    assert not native_bfloat16(cpu_info=tmp_path / "nothing")


def test_nobody_else_looks_for_it() -> None:
    for package in ("agent", "api", "training", "graphs", "memory"):
        for path in (ROOT / package).rglob("*.py"):
            if path.name != "bfloat16.py":
                text = path.read_text()
                assert not [word for word in ASKED_ELSEWHERE if word in text], path

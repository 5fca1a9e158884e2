"""The soak's verdict tells a leak from noise and from a warm-up."""

import os
import random
from pathlib import Path

import pytest

from tests.soak.samples import Sample, figures_of, growths


def hour(leak: float, *, warm_up: float = 0.0, noise: float = 5.0) -> list[Sample]:
    """Memory over an hour: a leak in MB an hour, and a warm-up that ends after six minutes."""
    dice = random.Random(0)
    return [
        Sample(
            seconds,
            {
                "api memory": 500
                + leak * seconds / 3600
                + min(warm_up, warm_up * seconds / 360)
                + dice.gauss(0, noise)
            },
        )
        for seconds in range(0, 3600, 10)
    ]


def test_a_leak_is_found_and_noise_is_none() -> None:
    (leaking,), (noisy,) = growths(hour(200)), growths(hour(0, noise=30))
    assert not leaking.flat
    assert leaking.low < 200 < leaking.high
    assert noisy.flat


def test_a_warm_up_is_no_leak() -> None:
    (growth,) = growths(hour(0, warm_up=300))
    assert growth.flat


def test_databases_may_grow() -> None:
    samples = [Sample(second, {"nightschool.db size": float(second)}) for second in range(0, 600, 10)]
    (growth,) = growths(samples)
    assert growth.flat
    assert growth.slope == pytest.approx(3600)


def test_too_few_samples_are_no_verdict() -> None:
    with pytest.raises(ValueError, match="soak for longer"):
        growths(hour(0)[:5])


def test_a_process_and_its_databases_are_measured(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "nightschool.db").write_bytes(b"0" * (1 << 20))
    figures = figures_of({"api": os.getpid()}, tmp_path)
    assert figures["api memory"] > 10
    assert figures["api files"] >= 3
    assert figures["api threads"] >= 1
    assert figures["nightschool.db size"] == 1

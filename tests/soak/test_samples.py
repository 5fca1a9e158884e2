"""The soak's verdict tells a leak from noise and from a warm-up."""

import os
import random
import socket
from collections import Counter
from pathlib import Path

import pytest

from tests.soak.__main__ import changes
from tests.soak.descriptors import descriptors
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


def test_what_is_open_is_told_by_kind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with (
            socket.create_connection(("127.0.0.1", port)),
            server.accept()[0],
            (tmp_path / "part-1.db").open("w"),
            (tmp_path / "part-22.db").open("w"),
        ):
            found = descriptors(os.getpid(), {port: "engine"})
    assert found["listens on engine"] == 1
    assert found["to engine, ESTABLISHED"] == 1
    assert found["from a client of engine, ESTABLISHED"] == 1
    assert next(count for what, count in found.items() if what.endswith("/part-N.db")) == 2


def test_only_what_changes_is_listed() -> None:
    looks = [{"api": Counter({"pool": count, "log": 1})} for count in (3, 5, 5)]
    assert changes(looks) == [("api", "pool", 3, 5, 5)]

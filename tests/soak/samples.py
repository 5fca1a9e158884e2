"""Samples of what a service holds, and the verdict whether it grows: by slope, with an interval."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil  # type: ignore[import-untyped]  # ships no types
from scipy.stats import theilslopes

MEGABYTE = 1 << 20
WARM_UP = 0.25
"""Share of the samples at the beginning that is left out: caches fill, and pools open."""
CONFIDENCE = 0.95


class Limit(NamedTuple):
    """How much a figure may grow in an hour and still count as flat."""

    an_hour: float
    unit: str
    why: str


LIMITS: Mapping[str, Limit] = {
    "memory": Limit(64.0, "MB", "a leak of 1 KB a request would be more, at 20 requests a second"),
    "files": Limit(8.0, "", "a descriptor lost every few minutes would be more"),
    "threads": Limit(4.0, "", "pools have their size after the warm-up"),
}
"""By figure. Databases grow with what is stored, so they are shown by request and have no limit."""


class Sample(NamedTuple):
    """One moment: the figures by name, such as `api memory`."""

    seconds: float
    figures: dict[str, float]


class Growth(NamedTuple):
    """How a figure grew in an hour: Theil-Sen slope, and its interval at 95%."""

    figure: str
    first: float
    last: float
    slope: float
    low: float
    high: float

    @property
    def limit(self) -> Limit | None:
        """The limit of this kind of figure, if it has one."""
        return LIMITS.get(self.figure.rpartition(" ")[2])

    @property
    def flat(self) -> bool:
        """Whether it does not grow for sure by more than the limit."""
        return self.limit is None or self.low <= self.limit.an_hour


def figures_of(pids: Mapping[str, int], folder: Path) -> dict[str, float]:
    """Memory in MB, open files and threads of each process, and the sizes of the databases in MB."""
    figures: dict[str, float] = {}
    for name, pid in pids.items():
        process = psutil.Process(pid)
        with process.oneshot():
            figures[f"{name} memory"] = process.memory_info().rss / MEGABYTE
            figures[f"{name} files"] = float(process.num_fds())
            figures[f"{name} threads"] = float(process.num_threads())
    for path in sorted((folder / "home").rglob("*.db")):
        sizes = [file.stat().st_size for file in path.parent.glob(f"{path.name}*")]
        figures[f"{path.name} size"] = sum(sizes) / MEGABYTE
    for name in ("home/episodic", "home/answers", "graph"):
        figures[f"{name} size"] = _size(folder / name) / MEGABYTE
    return figures


def growths(samples: Sequence[Sample]) -> list[Growth]:
    """How each figure grew after the warm-up. Raises ValueError for too few samples."""
    steady = samples[int(len(samples) * WARM_UP) :]
    if len(steady) < 5:
        raise ValueError(f"{len(steady)} samples after the warm-up are too few: soak for longer")
    names = sorted(set.intersection(*(set(sample.figures) for sample in steady)))
    hours = [sample.seconds / 3600 for sample in steady]
    found = []
    for name in names:
        values = [sample.figures[name] for sample in steady]
        slope, _, low, high = theilslopes(values, hours, CONFIDENCE)
        found.append(Growth(name, values[0], values[-1], float(slope), float(low), float(high)))
    return found


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue  # compacted away meanwhile
    return total

"""The order of the tests, which process runs them, and where their folders are.

What may take longest starts first, so that two processes end together.
"""

import gc
import os
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("fuzz", max_examples=2000, derandomize=False)  # chosen by `make fuzz`

MEMORY = Path("/dev/shm")
"""A file system in memory, where Linux has one."""
ROOM = 4 << 30
"""Free bytes that it needs; the tests use a fraction."""
ONE_SERVICE = "tests/services/stack/"
"""Its files share a running service, which would start once in each process that runs one of them."""


def pytest_configure() -> None:
    """Puts the tests' folders in memory, because databases wait for the disk at each commit.

    A settings file of whoever runs the tests is not read.
    """
    os.environ["NIGHTSCHOOL_SETTINGS_FILE"] = ""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts files by the longest time limit (`pytest.mark.timeout`, seconds) among their tests."""
    limits: defaultdict[object, float] = defaultdict(float)
    for item in items:
        if marker := item.get_closest_marker("timeout"):
            limits[item.path] = max(limits[item.path], marker.args[0])
    items.sort(key=lambda item: -limits[item.path])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keeps the tests of a file, and of ONE_SERVICE, in one process."""
    from xdist.scheduler import LoadFileScheduling

    class ByFileOrService(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return ONE_SERVICE if nodeid.startswith(ONE_SERVICE) else super()._split_scope(nodeid)

    return ByFileOrService(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    """Hides what was imported from the garbage collector, which would search it at every collection."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    gc.unfreeze()

"""The order of the tests, and where their folders are.

What may take longest starts first, so that two processes end together.
"""

import gc
import os
import shutil
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("fuzz", max_examples=2000, derandomize=False)  # chosen by `make fuzz`

MEMORY = Path("/dev/shm")
"""A file system in memory, where Linux has one."""
ROOM = 4 << 30
"""Free bytes that it needs; the tests use a fraction."""


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


def pytest_collection_finish() -> None:
    """Hides what was imported from the garbage collector, which would search it at every collection."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    gc.unfreeze()

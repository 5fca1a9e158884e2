"""The order of the tests: what may take longest starts first, so that two processes end together."""

import gc
from collections import defaultdict

import pytest


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

"""Fixtures of the night graph's tests."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from graphs.state import Runtime
from tests.support.night_runs import night_runtime


@pytest.fixture
async def runtime(runtime: Runtime, tmp_path: Path, clock: Any) -> AsyncIterator[Runtime]:
    """The service at two in the morning, after a day of turns about Rust."""
    ready = await night_runtime(runtime, tmp_path / "night", clock)
    yield ready
    await ready.database.aclose()

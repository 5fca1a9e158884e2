"""A run server over the tests' runtime."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graphs.state import Runtime
from tests.support.run_server import RunServer, open_run_server


@pytest.fixture
async def server(runtime: Runtime, tmp_path: Path) -> AsyncIterator[RunServer]:
    async with open_run_server(runtime, tmp_path) as opened:
        yield opened

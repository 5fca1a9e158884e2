"""The learn runs of tests, opened as the api opens them but for its assistants."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from graphs.server.executor import open_executor
from graphs.server.learn_runs import LearnRuns
from graphs.server.learn_spec import LearnSpec
from graphs.state import Runtime
from memory.checkpoints.connect import open_saver
from memory.checkpoints.savers import Saver


@asynccontextmanager
async def open_runs(runtime: Runtime, home: Path) -> AsyncIterator[LearnRuns]:
    """Learn runs that are worked on, with their files in a folder."""
    checkpoints = f"sqlite:///{home / 'checkpoints.db'}"
    async with open_saver(checkpoints) as saver, over(runtime, saver, home) as runs:
        yield runs


@asynccontextmanager
async def over(runtime: Runtime, saver: Saver, home: Path) -> AsyncIterator[LearnRuns]:
    """The same over a saver that is open."""
    served, url = [LearnSpec(runtime, saver)], f"sqlite:///{home / 'runs.db'}"
    async with open_executor(runtime, saver, served, url) as executor:
        runs = LearnRuns(runtime, executor)
        await runs.end_lost()
        yield runs

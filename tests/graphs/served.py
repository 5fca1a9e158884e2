"""Owns the learn runs of tests, opened as the api opens them but for its assistants."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from graphs.executor import open_executor
from graphs.runs import LearnRuns, ServedLearn
from graphs.state import Runtime
from memory.checkpoints import open_saver
from memory.savers import Saver


@asynccontextmanager
async def open_runs(runtime: Runtime, checkpoints: str) -> AsyncIterator[LearnRuns]:
    """Learn runs that are worked on, with their checkpoints at a URL."""
    async with open_saver(checkpoints) as saver, over(runtime, saver) as runs:
        yield runs


@asynccontextmanager
async def over(runtime: Runtime, saver: Saver) -> AsyncIterator[LearnRuns]:
    """The same over a saver that is open."""
    async with open_executor(runtime, saver, [ServedLearn(runtime, saver)]) as executor:
        runs = LearnRuns(runtime, executor)
        await runs.tidy()
        yield runs

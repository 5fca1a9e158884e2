"""The one service that these tests share, as it takes half a minute to start: one process runs them all."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.stack import Stack, stack
from tests.support.tiny_model import FOLDER as TINY


@pytest.fixture(scope="session")
def running_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Stack]]:
    """Starts the stack, or returns the running one; a file may have stopped it."""
    with ExitStack() as exits:
        started: list[Stack] = []

        def running() -> Stack:
            if not started or started[-1].process.poll() is not None:
                home = tmp_path_factory.mktemp("stack") / "home"
                started.append(exits.enter_context(stack(home, NIGHTSCHOOL_MODEL=str(TINY))))
            return started[-1]

        yield running


@pytest.fixture(scope="module")
def service(running_stack: Callable[[], Stack]) -> Stack:
    """The tiny model on vLLM, the embedded graph, the trainer and the api, shared by the files."""
    return running_stack()

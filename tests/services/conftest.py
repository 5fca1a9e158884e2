"""Fixtures of the services tests: one whole service for the session, as it takes half a minute to start."""

from collections.abc import Iterator

import pytest

from tests.support.stack import Stack, stack
from tests.support.tiny_card import FOLDER as TINY


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The tiny model on vLLM, the embedded graph, the trainer and the api."""
    with stack(tmp_path_factory.mktemp("stack") / "home", NIGHTSCHOOL_MODEL=str(TINY)) as running:
        yield running

"""The compiled chat graph."""

import pytest

from graphs.chat import Chat, build


@pytest.fixture(scope="module")
def graph() -> Chat:
    return build().compile()

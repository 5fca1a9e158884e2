"""A data folder with a small SQuAD."""

from pathlib import Path

import pytest

from tests.support.learning_measurements import write_squad


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_squad(tmp_path)

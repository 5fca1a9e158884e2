"""The default model, as set-up adopted it."""

import pytest

from agent.errors import ModelError
from agent.models.store import AddedModel, resolve_model
from agent.settings import read_settings


def default_model() -> AddedModel:
    """The model in use; a test that needs it is skipped where it was not adopted."""
    try:
        return resolve_model(read_settings())
    except ModelError as error:
        pytest.skip(str(error))

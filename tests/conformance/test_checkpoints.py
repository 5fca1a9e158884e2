"""LangGraph's own conformance suite, over both checkpoint savers as `open_saver` opens them."""

from collections.abc import AsyncGenerator

import pytest
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import Capability
from langgraph.checkpoint.conformance.initializer import RegisteredCheckpointer
from langgraph.checkpoint.conformance.report import ProgressCallbacks

from memory.checkpoints.connect import open_saver
from memory.checkpoints.savers import Saver
from tests.support.databases import database_url, empty_runs, home, postgresql, template

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]


@pytest.fixture
def registered(database_url: str) -> RegisteredCheckpointer:
    """The saver as LangGraph's suite takes it."""

    @checkpointer_test(name=database_url.partition(":")[0])
    async def saver() -> AsyncGenerator[Saver, None]:
        async with open_saver(database_url) as opened:
            yield opened

    return saver


@pytest.mark.parametrize("capability", list(Capability), ids=lambda capability: capability.value)
async def test_the_saver_has_the_capability(
    registered: RegisteredCheckpointer, capability: Capability
) -> None:
    errors: list[str] = []

    def record(_: str, name: str, passed: bool, error: str | None) -> None:
        if not passed:
            errors.append(f"{name}: {error}")

    progress = ProgressCallbacks(on_test_result=record)
    report = await validate(registered, capabilities={capability.value}, progress=progress)
    result = report.results[capability.value]
    assert result.detected, "the saver lacks this method, so no test ran"
    assert errors == []
    assert result.tests_passed > 0

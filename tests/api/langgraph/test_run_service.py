"""A cron whose run cannot be started tells the log, and fires again next time."""

from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest

from agent.errors import NotTeachable
from api.langgraph.cron_runs import CronRuns
from api.langgraph.run_service import RunService
from api.rate_limits import RateLimits
from memory.server.runs import ThreadRun

CRON = SimpleNamespace(
    assistant_id="learn",
    metadata={},
    cron_id="c1",
    thread_id="t1",
    owner=None,
    payload={"input": {"topic": "Rust"}},
    key_id=None,
    last_run_id=None,
)


class Crons:
    """Crons that hold one."""

    async def get(self, cron_id: str) -> SimpleNamespace:
        return CRON

    def has_ended(self, cron: object) -> bool:
        return False


class Refusing(RunService):
    """Starts nothing."""

    async def start(self, *_: object, **__: object) -> ThreadRun:
        raise NotTeachable("this model is for retrieval only")


async def test_a_cron_that_learns_on_a_model_that_cannot_is_refused_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = Refusing(cast(Any, None), cast(Any, None), None, RateLimits())
    keys = SimpleNamespace(required=AsyncMock(return_value=False))
    await CronRuns(service, cast(Any, Crons()), cast(Any, keys)).fire("c1", "c1 at noon")
    assert "c1" in caplog.text
    assert "retrieval only" in caplog.text

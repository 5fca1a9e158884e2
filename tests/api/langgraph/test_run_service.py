"""A cron whose run cannot be started tells the log; a webhook that must not be sent tells the audit log."""

from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest

from agent.errors import NotTeachable
from api.langgraph.cron_runs import CronRuns
from api.langgraph.run_service import RunService
from api.rate_limits import RateLimits
from graphs.state import Runtime
from memory.server.runs import ThreadRun
from memory.server.webhooks import Webhooks
from tests.graphs.conftest import clock, runtime

__all__ = ["clock", "runtime"]

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
    service = Refusing(cast(Any, None), cast(Any, None), None, RateLimits(), cast(Any, None))
    keys = SimpleNamespace(required=AsyncMock(return_value=False))
    await CronRuns(service, cast(Any, Crons()), cast(Any, keys)).fire("c1", "c1 at noon")
    assert "c1" in caplog.text
    assert "retrieval only" in caplog.text


async def test_a_webhook_that_became_private_is_not_sent_and_the_audit_log_says_so(
    runtime: Runtime,
) -> None:
    def refuse(url: str) -> str:
        raise ValueError(f"{url} leads to a private address")

    webhooks = cast(Webhooks, SimpleNamespace(check=refuse))
    service = RunService(cast(Any, None), cast(Any, None), webhooks, RateLimits(), runtime.audit)
    await service.send_webhook("https://example.com/hook", "r1", "{}", "ada")
    (row,) = await runtime.audit.list(action="webhook.refuse")
    assert (row.by, row.subject) == ("ada", "r1")
    assert "private address" in row.details["reason"]

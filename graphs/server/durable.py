"""How work survives its process: a DBOS workflow for each run, taken up again if its process ends.

Knows a run by its id only; what is done with it is in `executor`.
"""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID, error

from memory.server.process_leases import Presence, open_presence

WORKFLOW = "run"
DELIVERY = "webhook"
CRON = "cron"
DELIVERIES = 8
"""Times that a webhook is tried, waiting 2 seconds at first and then twice as long each time: 4 minutes."""
VERSION = "2"
"""Version of the workflow, not of the code: a restarted or upgraded api takes up what its forerunner left."""
MOST_ATTEMPTS = 50
"""A run that has taken so many processes with it, or outlived them, is not taken up again."""

KEPT = timedelta(days=1)
"""How long DBOS keeps its note of what has ended; the run itself stays as long as its thread."""
PAGE = 1000
"""Notes that are dropped in one go."""

Work = Callable[[str], Awaitable[None]]
Deliver = Callable[[str, str, str], Awaitable[None]]
Fire = Callable[[str, str], Awaitable[None]]


class Durable:
    """The durable work of one process; see `open_durable`."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self._work: Callable[[str], Coroutine[Any, Any, None]]
        self._deliver: Callable[[str, str, str], Coroutine[Any, Any, None]]
        self._fire: Callable[[datetime, Any], Coroutine[Any, Any, None]]

    def launch(self, work: Work, deliver: Deliver, fire: Fire) -> None:
        """Begins to work, on what was left at first. Has to be called before all else, and in the event loop.

        `work` (on a run) and `fire` (on a cron; the second name is the firing's own) are done again from
        their beginning if their process ends before they do, but not if they raise; `deliver` (url, id and
        body of a webhook) is tried again if it raises.
        """

        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=MOST_ATTEMPTS)
        async def working(run_id: str) -> None:
            await work(run_id)

        @DBOS.step(name="send", retries_allowed=True, interval_seconds=2, max_attempts=DELIVERIES)
        async def sending(url: str, message_id: str, body: str) -> None:
            await deliver(url, message_id, body)

        @DBOS.workflow(name=DELIVERY)
        async def delivering(url: str, message_id: str, body: str) -> None:
            await sending(url, message_id, body)

        @DBOS.workflow(name=CRON)
        async def firing(scheduled: datetime, context: Any) -> None:
            await fire(context["cron_id"], str(DBOS.workflow_id))

        self._work, self._deliver, self._fire = working, delivering, firing
        DBOS.launch()

    async def begin(self, run_id: str) -> None:
        """Works on the run, unless somebody does already, or did until it ended."""
        await _apart(self._begin(run_id))

    async def _begin(self, run_id: str) -> None:
        with SetWorkflowID(run_id):
            await DBOS.start_workflow_async(self._work, run_id)

    async def tell(self, run_id: str, url: str, body: str) -> None:
        """Delivers a webhook about the run, once however often it is told to."""
        await _apart(self._tell(f"{run_id}:ended", url, body))

    async def _tell(self, message_id: str, url: str, body: str) -> None:
        with SetWorkflowID(message_id):
            await DBOS.start_workflow_async(self._deliver, url, message_id, body)

    async def schedule(self, cron_id: str, cron: str, timezone: str | None) -> None:
        """Fires the cron when its expression says, from now on. Raises ValueError for a bad one."""
        await self.unschedule(cron_id)
        try:
            await DBOS.create_schedule_async(
                schedule_name=cron_id,
                workflow_fn=self._fire,
                schedule=cron,
                context={"cron_id": cron_id},
                cron_timezone=timezone,
            )
        except error.DBOSException as bad:
            raise ValueError(f"schedule: {bad}") from bad

    async def unschedule(self, cron_id: str) -> None:
        """Fires it no more; again changes nothing."""
        await _apart(DBOS.delete_schedule_async(cron_id))

    async def take_over(self) -> None:
        """Takes up what processes left that are no more; two that do so at once do it once."""
        left = await DBOS.list_workflows_async(status="PENDING", load_input=False, load_output=False)
        owners = frozenset(workflow.executor_id for workflow in left if workflow.executor_id is not None)
        gone = await self._presence.gone(owners - {self._presence.name})
        if gone:  # what DBOS does at its start for our own name, and its admin server on request
            await asyncio.to_thread(DBOS._recover_pending_workflows, sorted(gone))

    async def collect(self, before: datetime) -> int:
        """Drops DBOS's notes of what ended before then, a page at a time; returns how many."""
        ended = await DBOS.list_workflows_async(
            completed_before=before.isoformat(), limit=PAGE, load_input=False, load_output=False
        )
        if ended:
            await DBOS.delete_workflows_async([each.workflow_id for each in ended])
        return len(ended)


async def _apart(asked: Coroutine[Any, Any, Any]) -> None:
    """Asks DBOS from outside any workflow: what one starts within it counts as a step of it, in order."""
    await asyncio.create_task(asked, context=contextvars.Context())


@asynccontextmanager
async def open_durable(url: str) -> AsyncIterator[Durable]:
    """Opens DBOS over the database of a SQLAlchemy URL; one per process. Raises StoreUnavailable."""
    async with open_presence(url) as presence:
        config: DBOSConfig = {
            "name": "nightschool",
            "system_database_url": url,
            "application_version": VERSION,
            "executor_id": presence.name,
            "serializer": DBOSPortableJSONSerializer(),  # DBOS's own default is pickle
            "console_log_level": "ERROR",
            # Nobody here waits for its notifications, but closing waits for one round of looking for them.
            "notification_listener_polling_interval_sec": 0.1,
            "enable_otlp": False,
        }
        DBOS(config=config)
        try:
            yield Durable(presence)
        finally:
            await asyncio.to_thread(DBOS.destroy, destroy_registry=True)

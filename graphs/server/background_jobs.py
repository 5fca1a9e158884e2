"""Background jobs of the server, on DBOS: webhooks that are retried, and cron schedules."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID, error

from memory.server.process_leases import ProcessLease

WEBHOOK = "webhook"
CRON = "cron"
WEBHOOK_ATTEMPTS = 8
"""Waits 2 seconds after the first attempt and then twice as long each time: 4 minutes in all."""
VERSION = "4"
"""Version of the workflows, not of the code: an upgraded api finishes the jobs of the old one."""
RETENTION = timedelta(days=1)
"""How long DBOS keeps its records of finished jobs."""
PAGE = 1000
"""Most records deleted at once."""

SendWebhook = Callable[[str, str, str, str | None], Awaitable[None]]
FireCron = Callable[[str, str], Awaitable[None]]


class BackgroundJobs:
    """The background jobs of one process; see `open_background_jobs`."""

    def __init__(self, lease: ProcessLease) -> None:
        self._lease = lease
        self._webhook: Callable[[str, str, str, str | None], Coroutine[Any, Any, None]]
        self._cron: Callable[[datetime, Any], Coroutine[Any, Any, None]]

    def launch(self, send_webhook: SendWebhook, fire_cron: FireCron) -> None:
        """Starts DBOS. Call it in the event loop, before any other method.

        `send_webhook` gets the URL, a message id, the body and the owner whose secret signs it, and is
        retried if it raises. `fire_cron` gets the cron's id and an id of this firing, and is called again
        if the process dies before it returns.
        """

        @DBOS.step(name="send", retries_allowed=True, interval_seconds=2, max_attempts=WEBHOOK_ATTEMPTS)
        async def send(url: str, message_id: str, body: str, owner: str | None) -> None:
            await send_webhook(url, message_id, body, owner)

        @DBOS.workflow(name=WEBHOOK)
        async def webhook(url: str, message_id: str, body: str, owner: str | None) -> None:
            await send(url, message_id, body, owner)

        @DBOS.workflow(name=CRON)
        async def cron(scheduled: datetime, context: Any) -> None:
            await fire_cron(context["cron_id"], str(DBOS.workflow_id))

        self._webhook, self._cron = webhook, cron
        DBOS.launch()

    async def send_webhook(self, run_id: str, url: str, body: str, owner: str | None) -> None:
        """Sends the webhook of a run's end; calling it again for the same run changes nothing."""
        await _outside_workflows(self._start_webhook(_webhook_id(run_id), url, body, owner))

    async def _start_webhook(self, message_id: str, url: str, body: str, owner: str | None) -> None:
        with SetWorkflowID(message_id):
            await DBOS.start_workflow_async(self._webhook, url, message_id, body, owner)

    async def schedule(self, cron_id: str, expression: str, timezone: str | None) -> None:
        """Fires the cron by its expression from now on. Raises ValueError for an invalid one."""
        await self.unschedule(cron_id)
        try:
            await DBOS.create_schedule_async(
                schedule_name=cron_id,
                workflow_fn=self._cron,
                schedule=expression,
                context={"cron_id": cron_id},
                cron_timezone=timezone,
            )
        except error.DBOSException as invalid:
            raise ValueError(f"schedule: {invalid}") from invalid

    async def unschedule(self, cron_id: str) -> None:
        """Stops firing the cron."""
        await _outside_workflows(DBOS.delete_schedule_async(cron_id))

    async def resume_orphans(self) -> None:
        """Resumes the jobs of processes whose lease has expired."""
        pending = await DBOS.list_workflows_async(status="PENDING", load_input=False, load_output=False)
        owners = frozenset(job.executor_id for job in pending if job.executor_id is not None)
        expired = await self._lease.expired(owners - {self._lease.name})
        for job in pending:
            if job.executor_id in expired:
                await DBOS.resume_workflow_async(job.workflow_id)

    async def forget_webhooks(self, run_ids: Sequence[str]) -> None:
        """Deletes the webhooks of these runs, sent or not, with their bodies."""
        for first in range(0, len(run_ids), PAGE):
            await DBOS.delete_workflows_async([_webhook_id(each) for each in run_ids[first : first + PAGE]])

    async def delete_finished(self, before: datetime) -> int:
        """Deletes up to PAGE of DBOS's records of jobs that finished before then; returns how many."""
        finished = await DBOS.list_workflows_async(
            completed_before=before.isoformat(), limit=PAGE, load_input=False, load_output=False
        )
        if finished:
            await DBOS.delete_workflows_async([job.workflow_id for job in finished])
        return len(finished)


def _webhook_id(run_id: str) -> str:
    return f"{run_id}:ended"


async def _outside_workflows(call: Coroutine[Any, Any, Any]) -> None:
    """Calls DBOS outside any workflow, because inside one it would record the call as a step."""
    await asyncio.create_task(call, context=contextvars.Context())


@asynccontextmanager
async def open_background_jobs(url: str, lease: ProcessLease) -> AsyncIterator[BackgroundJobs]:
    """Opens DBOS on the database of a SQLAlchemy URL; once per process. Raises StoreUnavailable."""
    config: DBOSConfig = {
        "name": "nightschool",
        "system_database_url": url,
        "application_version": VERSION,
        "executor_id": lease.name,
        "serializer": DBOSPortableJSONSerializer(),  # DBOS's default is pickle
        "console_log_level": "ERROR",
        # Notifications are not used, but closing waits for one round of polling.
        "notification_listener_polling_interval_sec": 0.1,
        "enable_otlp": False,
    }
    DBOS(config=config)
    try:
        yield BackgroundJobs(lease)
    finally:
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)

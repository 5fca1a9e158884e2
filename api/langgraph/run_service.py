"""Dependencies and checks for starting a run that a client, or a cron, asks for.

How the request looks is in `run_requests`; the executor runs it.
"""

import asyncio
import logging
import uuid
from dataclasses import dataclass

from agent.errors import AgentError
from api.callers import Caller, scope_of
from api.langgraph.common import checkpoint_of
from api.langgraph.run_requests import RunAsked
from graphs.server import threads
from graphs.server.executor import Executor
from memory.errors import AlreadyExists, StorageError, UnknownCron, WebhookFailed
from memory.server.assistants import Assistant, Assistants
from memory.server.crons import Crons
from memory.server.runs import ThreadRun
from memory.server.threads import Json, unknown
from memory.server.webhooks import UnknownHost, Webhooks

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Starting:
    """Starts runs with these."""

    executor: Executor
    assistants: Assistants
    webhooks: Webhooks | None
    """None where there is no secret to sign them with."""

    async def start(
        self, calling: Caller, asked: RunAsked, thread_id: str | None, *, run_id: str | None = None
    ) -> ThreadRun:
        """Queues what is asked for. Raises what `Executor.start` and `Served.accept` raise, and Forbidden."""
        stateless = thread_id is None
        thread_id = thread_id or run_id or str(uuid.uuid4())
        assistant, accepted = await self.check(calling, asked, thread_id)
        create = stateless or asked.if_not_exists == "create"
        checkpoint_id = checkpoint_of(thread_id, asked.checkpoint, asked.checkpoint_id)
        if stateless and checkpoint_id is not None:
            raise ValueError("a run without a thread has no checkpoint to begin at: name its thread")
        if not stateless and asked.on_completion == "delete":
            raise ValueError("on_completion=delete is for runs without a thread: use the thread's ttl")
        if asked.input is not None and asked.command is not None:
            raise ValueError("send input or command, not both")
        if checkpoint_id is not None:
            await threads.state(self.executor, thread_id, checkpoint_id)
        return await self.executor.start(
            thread_id,
            assistant.graph_id,
            asked.order(accepted, checkpoint_id, stateless=stateless),
            assistant_id=assistant.assistant_id,
            strategy=asked.multitask_strategy,
            metadata=asked.config.metadata | asked.metadata,
            create_thread=create,
            owner=calling.owner,
            after_seconds=asked.after_seconds,
            run_id=run_id,
        )

    async def check(self, calling: Caller, asked: RunAsked, thread_id: str) -> tuple[Assistant, Json | None]:
        """The assistant and the accepted input of what is asked for on a thread that may be yet to come.

        Raises ValueError, Forbidden, UnknownThread for another's, and what `Served.accept` raises.
        """
        assistant = await self.assistants.get(asked.assistant_id)
        calling.need(scope_of(assistant.graph_id))
        if not await self.executor.threads.open_to(calling.owner, thread_id):
            raise unknown(thread_id)
        await self._check_webhook(asked.webhook)
        if asked.input is None:
            return assistant, None
        if not isinstance(asked.input, dict):
            raise ValueError("input: must be an object")
        options = assistant.options | asked.options
        served = self.executor.served[assistant.graph_id]
        return assistant, await served.accept(thread_id, asked.input, options)

    async def fire(self, cron_id: str, name: str, crons: Crons) -> None:
        """Asks for a cron's run, unless its time is over; why one is refused is told of in the log only.

        `name` is the firing's own: fired again after a crash, it is still the same run.
        """
        try:
            cron = await crons.get(cron_id)
        except UnknownCron:
            return
        if crons.has_ended(cron):
            await self.executor.durable.unschedule(cron_id)
            return
        said: Json = {"assistant_id": cron.assistant_id, "metadata": cron.metadata | {"cron_id": cron_id}}
        if cron.thread_id is None:
            said["on_completion"] = cron.on_run_completed
        asker = Caller(owner=cron.owner, may=lambda scope: True)  # it was asked when the cron was made
        run_id = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
        try:
            await self.start(
                asker, RunAsked.model_validate(cron.payload | said), cron.thread_id, run_id=run_id
            )
        except AlreadyExists:
            return
        except (ValueError, StorageError, AgentError) as error:
            log.error("cron %s: its run was refused: %s", cron_id, error)

    async def deliver(self, url: str, message_id: str, body: str) -> None:
        """Tells a webhook. Raises WebhookFailed."""
        assert self.webhooks is not None, "a run is refused that names one without a secret"
        try:
            address = await asyncio.to_thread(self.webhooks.check, url)
        except UnknownHost as error:  # perhaps for a moment only
            raise WebhookFailed(str(error)) from error
        except ValueError as error:
            log.error("webhook %s is not told: %s", message_id, error)
            return
        await self.webhooks.send(url, message_id, body, address)

    async def _check_webhook(self, url: str | None) -> None:
        if url is None:
            return
        if self.webhooks is None:
            raise ValueError(
                "webhook: the service has no secret to sign with, set NIGHTSCHOOL_WEBHOOK_SECRET"
            )
        await asyncio.to_thread(self.webhooks.check, url)


def run_reply(run: ThreadRun) -> Json:
    """A run as clients know it."""
    told = run.model_dump(
        mode="json",
        include={
            "run_id",
            "thread_id",
            "assistant_id",
            "created_at",
            "updated_at",
            "status",
            "metadata",
        },
    )
    reason = {"cancel_reason": run.cancel} if run.cancel else {}
    return told | {"kwargs": run.request, "multitask_strategy": run.strategy} | reason

"""The run service: starts the runs that clients and crons request, after checking scopes and input."""

import asyncio
import logging
import uuid
from dataclasses import dataclass

from api.callers import Caller, answer_scope_of, scope_of
from api.langgraph.common import requested_checkpoint
from api.langgraph.run_requests import RunBody
from api.rate_limits import RateLimits
from graphs.server import threads
from graphs.server.executor import Executor
from graphs.server.run_spec import RunSpec
from memory.errors import WebhookFailed
from memory.server.assistants import Assistant, Assistants
from memory.server.audit import AuditLog
from memory.server.keys import LOCAL_OPERATOR
from memory.server.runs import ThreadRun
from memory.server.threads import Json, unknown
from memory.server.webhooks import UnknownHost, Webhooks

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunService:
    """Starts runs."""

    executor: Executor
    assistants: Assistants
    webhooks: Webhooks | None
    """None if the service has no secret to sign them with."""
    rate_limits: RateLimits
    audit: AuditLog

    async def start(
        self, caller: Caller, body: RunBody, thread_id: str | None, *, run_id: str | None = None
    ) -> ThreadRun:
        """Queues the run.

        Raises Forbidden, RateLimited and what `Executor.start` and `GraphSpec.validate_input` raise.
        """
        stateless = thread_id is None
        thread_id = thread_id or run_id or str(uuid.uuid4())
        assistant, accepted = await self.check(caller, body, thread_id)
        if scope_of(assistant.graph_id) == "learn":
            await self.rate_limits.spend("learn_runs", caller.owner)
        create = stateless or body.if_not_exists == "create"
        checkpoint_id = requested_checkpoint(thread_id, body.checkpoint, body.checkpoint_id)
        if stateless and checkpoint_id is not None:
            raise ValueError("a run without a thread has no checkpoint to start from: send the thread's id")
        if not stateless and body.on_completion == "delete":
            raise ValueError("on_completion=delete is for runs without a thread: use the thread's ttl")
        if body.input is not None and body.command is not None:
            raise ValueError("send input or command, not both")
        if checkpoint_id is not None:
            await threads.state(self.executor, thread_id, checkpoint_id)
        return await self.executor.start(
            RunSpec(
                thread_id=thread_id,
                graph_id=assistant.graph_id,
                request=body.request(accepted, checkpoint_id, stateless=stateless),
                assistant_id=assistant.assistant_id,
                strategy=body.multitask_strategy,
                metadata=body.config.metadata | body.metadata,
                create_thread=create,
                owner=caller.owner,
                asked_by=caller.name,
                delay_seconds=body.after_seconds,
                run_id=run_id,
            )
        )

    async def check(self, caller: Caller, body: RunBody, thread_id: str) -> tuple[Assistant, Json | None]:
        """The assistant and the validated input of a run on a thread that may not exist yet.

        Raises ValueError, Forbidden, UnknownThread for a thread of another owner, and what
        `GraphSpec.validate_input` raises.
        """
        assistant = await self.assistants.recent(body.assistant_id, owner=caller.owner)
        caller.require(scope_of(assistant.graph_id))
        if body.command is not None and body.command.record.answers:
            caller.require(answer_scope_of(assistant.graph_id))
        if not await self.executor.threads.open_to(caller.owner, thread_id):
            raise unknown(thread_id)
        await self._check_webhook(body.webhook)
        if body.input is None:
            return assistant, None
        if not isinstance(body.input, dict):
            raise ValueError("input: must be an object")
        options = assistant.options | body.options
        graph_spec = self.executor.graph_specs[assistant.graph_id]
        access = await self.executor.access(caller.owner)
        return assistant, await graph_spec.validate_input(thread_id, body.input, options, access)

    async def send_webhook(self, url: str, message_id: str, body: str, owner: str | None) -> None:
        """Sends a webhook, signed with the owner's secret. Raises WebhookFailed.

        The audit log notes one that must not be sent, such as to an address that became a private one.
        """
        assert self.webhooks is not None, "runs with a webhook are refused without a secret"
        try:
            address = await asyncio.to_thread(self.webhooks.check, url)
        except UnknownHost as error:  # may be temporary, so it is retried
            raise WebhookFailed(str(error)) from error
        except ValueError as error:
            log.error("webhook %s is not sent: %s", message_id, error)
            details = {"reason": str(error)}
            await self.audit.record(
                "webhook.refuse", by=owner or LOCAL_OPERATOR, subject=message_id, details=details
            )
            return
        await self.webhooks.send(url, message_id, body, address, owner=owner)

    async def _check_webhook(self, url: str | None) -> None:
        if url is None:
            return
        if self.webhooks is None:
            raise ValueError(
                "webhook: the service has no secret to sign it with: set NIGHTSCHOOL_WEBHOOK_SECRET"
            )
        await asyncio.to_thread(self.webhooks.check, url)


def run_reply(run: ThreadRun) -> Json:
    """A run in LangGraph's format."""
    reply = run.model_dump(
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
    return reply | {"kwargs": run.request, "multitask_strategy": run.strategy} | reason

"""Runs of crons: a cron that fires starts its run with the rights of the key that made it."""

import logging
import uuid
from dataclasses import dataclass

from agent.errors import AgentError
from api.callers import Caller
from api.errors import Forbidden
from api.langgraph.run_requests import RunBody
from api.langgraph.run_service import RunService
from api.rate_limits import RateLimited
from memory.errors import AlreadyExists, StorageError, UnknownCron, UnknownRun
from memory.server.crons import Cron, Crons
from memory.server.keys import LOCAL_OPERATOR, ApiKeys
from memory.server.threads import Json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CronRuns:
    """Starts the runs of crons."""

    run_service: RunService
    crons: Crons
    keys: ApiKeys

    async def fire(self, cron_id: str, firing_id: str) -> None:
        """Starts a cron's run, unless the cron has ended or its last run has not; if it is refused, logs why.

        A cron whose key was revoked, or may not do this, is disabled and says why. `firing_id` makes
        repetitions after a crash the same run.
        """
        try:
            cron = await self.crons.get(cron_id)
        except UnknownCron:
            return
        if self.crons.has_ended(cron):
            await self.run_service.executor.jobs.unschedule(cron_id)
            return
        caller = await self._caller(cron)
        if caller is None:
            await self._disable(cron, "the key that made it was revoked: enable it again with another key")
            return
        run_id = str(uuid.uuid5(uuid.NAMESPACE_URL, firing_id))
        if await self._is_unfinished(cron.last_run_id):
            if cron.last_run_id != run_id:
                log.warning("cron %s: left out, because its last run is unfinished", cron_id)
                await self.crons.count_skipped(cron_id)
            return
        fields: Json = {"assistant_id": cron.assistant_id, "metadata": cron.metadata | {"cron_id": cron_id}}
        if cron.thread_id is None:
            fields["on_completion"] = cron.on_run_completed
        body = RunBody.model_validate(cron.payload | fields)
        try:
            await self.run_service.start(caller, body, cron.thread_id, run_id=run_id)
        except AlreadyExists:
            pass  # the process died after it had started the run
        except Forbidden as error:
            await self._disable(cron, str(error))
            return
        except (ValueError, StorageError, AgentError, RateLimited) as error:
            log.error("cron %s: its run was refused: %s", cron_id, error)
            return
        await self.crons.update(cron_id, {"last_run_id": run_id})

    async def _caller(self, cron: Cron) -> Caller | None:
        """The caller that the cron acts for; None if its key does not hold any more."""
        if cron.key_id is None:
            if await self.keys.required():
                return None
            return Caller(name=LOCAL_OPERATOR, owner=cron.owner, allows=lambda scope: True)
        key = await self.keys.valid(cron.key_id)
        if key is None:
            return None
        return Caller(name=key.owner, owner=cron.owner, allows=key.allows, key_id=key.id)

    async def _disable(self, cron: Cron, reason: str) -> None:
        log.error("cron %s is disabled: %s", cron.cron_id, reason)
        await self.crons.update(cron.cron_id, {"enabled": False, "disabled_reason": reason})
        await self.run_service.executor.jobs.unschedule(cron.cron_id)

    async def _is_unfinished(self, run_id: str | None) -> bool:
        if run_id is None:
            return False
        try:
            return not (await self.run_service.executor.runs.get(run_id)).finished
        except UnknownRun:
            return False

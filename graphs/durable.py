"""Owns how work survives its process: a DBOS workflow for each run, taken up again if its process ends.

Knows a run by its id only; what is done with it is in `executor`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID

from memory.presence import Presence, open_presence

WORKFLOW = "run"
VERSION = "2"
"""Version of the workflow, not of the code: a restarted or upgraded api takes up what its forerunner left."""
MOST_ATTEMPTS = 50
"""A run that has taken so many processes with it, or outlived them, is not taken up again."""

Work = Callable[[str], Awaitable[None]]


class Durable:
    """The durable work of one process; see `open_durable`."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self._workflow: Callable[[str], Coroutine[Any, Any, None]]

    def launch(self, work: Work) -> None:
        """Begins to work, on what was left at first. Has to be called before all else, and in the event loop.

        `work` is done again from its beginning if its process ends before it does, but not if it raises.
        """

        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=MOST_ATTEMPTS)
        async def workflow(run_id: str) -> None:
            await work(run_id)

        self._workflow = workflow
        DBOS.launch()

    async def begin(self, run_id: str) -> None:
        """Works on the run, unless somebody does already, or did until it ended."""
        with SetWorkflowID(run_id):
            await DBOS.start_workflow_async(self._workflow, run_id)

    async def take_over(self) -> None:
        """Takes up what processes left that are no more; two that do so at once do it once."""
        left = await DBOS.list_workflows_async(status="PENDING", load_input=False, load_output=False)
        owners = frozenset(workflow.executor_id for workflow in left if workflow.executor_id is not None)
        gone = await self._presence.gone(owners - {self._presence.name})
        if gone:  # what DBOS does at its start for our own name, and its admin server on request
            await asyncio.to_thread(DBOS._recover_pending_workflows, sorted(gone))


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
            "enable_otlp": False,
        }
        DBOS(config=config)
        try:
            yield Durable(presence)
        finally:
            await asyncio.to_thread(DBOS.destroy, destroy_registry=True)

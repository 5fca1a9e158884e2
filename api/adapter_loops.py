"""Background loops of adapters: load live ones that the engine lacks, and follow the registry's aliases."""

import asyncio
import logging

from agent.chat.routing import Routes
from agent.engines.base import Engine
from agent.errors import EngineUnavailable
from agent.loops import Loop
from agent.promotion import restore, unreadable_live
from memory.adapters.base import AdapterRegistry
from memory.server.audit import AuditLog

log = logging.getLogger(__name__)

ROUTES_CHECK_SECONDS = 0.5
"""A promotion or rollback by another process takes effect within a second."""
ADAPTER_CHECK_SECONDS = 3.0
LONGEST_LOADING = 600.0
"""Seconds in which an engine has loaded all adapters, each with its canary."""


def keep_adapters_loaded(
    engine: Engine, registry: AdapterRegistry, audit: AuditLog, *, every: float = ADAPTER_CHECK_SECONDS
) -> Loop:
    """Loads live adapters that the engine lacks, such as after a restart.

    The audit log notes once which live ones are refused, because their record is not what the worker signed.
    """
    noted: set[str] = set()

    async def load_missing() -> None:
        for name, error in (await asyncio.to_thread(unreadable_live, registry)).items():
            if name not in noted:
                details = {"reason": str(error)}
                await audit.record("signature.refuse", by="api", subject=name, details=details)
                noted.add(name)
        if restored := await restore(engine=engine, registry=registry):
            log.info("loaded into the engine again: %s", ", ".join(restored))

    return Loop(
        "live adapters",
        load_missing,
        every=every,
        stuck_after=LONGEST_LOADING,
        waits_for=(EngineUnavailable,),
    )


def follow_registry(routes: Routes, *, every: float = ROUTES_CHECK_SECONDS) -> Loop:
    """Refreshes the routes when another process moves an alias."""

    async def refresh() -> None:
        if await routes.refresh_if_changed():
            log.info("routes: %s", ", ".join(sorted(routes.live)) or "the base model alone")

    return Loop("routes", refresh, every=every)

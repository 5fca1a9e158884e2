"""Promotion and rollback of adapters: load, check the canary question, then move the domain's alias."""

import asyncio
import logging
from contextlib import suppress

from langchain_core.messages import HumanMessage

from agent.canary import agrees
from agent.engines.adapter_files import digest_of_files
from agent.engines.base import Engine
from agent.errors import AdapterRefused, CanaryFailed, EngineError, EngineUnavailable
from agent.grading import normalise
from memory.adapters.base import AdapterRegistry, base_mismatch, promotion_blocker
from memory.errors import AdapterNotServable, CorruptRecord
from memory.records.adapters import Adapter

log = logging.getLogger(__name__)


async def promote(name: str, *, engine: Engine, registry: AdapterRegistry) -> Adapter:
    """Makes the adapter its domain's live one; the old one serves until the last step.

    Raises UnknownAdapter, AdapterNotServable (rejected, or trained on quarantined facts), AdapterRefused
    (the engine refuses to load it) and CanaryFailed. After a failed canary the adapter stays a candidate:
    evaluation saw it behave, so the engine may be at fault, and it can be promoted again after a repair.
    """
    adapter = await asyncio.to_thread(registry.get, name)
    if adapter.status == "rejected":
        reasons = "; ".join(adapter.verdict.reasons) or "it was rejected after registration"
        raise AdapterNotServable(f"{name} is never served: {reasons}")
    if (blocker := await asyncio.to_thread(promotion_blocker, adapter, registry)) is not None:
        raise AdapterNotServable(blocker)
    await load_with_canary(adapter, engine=engine, registry=registry)
    await asyncio.to_thread(registry.promote, name)
    return adapter.model_copy(update={"status": "live"})


def is_outdated(adapter: Adapter, live: Adapter | None) -> bool:
    """Whether the domain's live adapter changed since this one was trained.

    It may then lack lessons, or contain some that were rolled back.
    """
    live_name = live.name if live else None
    return live_name not in (adapter.name, adapter.parent)


async def load_with_canary(adapter: Adapter, *, engine: Engine, registry: AdapterRegistry) -> None:
    """Loads the adapter and checks its canary; if the check fails, unloads what this call loaded.

    The files' digest must still be the one evaluated, because one canary question cannot prove that.
    Raises AdapterRefused and CanaryFailed.
    """
    folder = await asyncio.to_thread(registry.fetch, adapter.name)
    if adapter.files is not None and adapter.files != await asyncio.to_thread(digest_of_files, folder):
        raise AdapterRefused(f"the files in {folder} changed since evaluation: restore them, or learn again")
    present = adapter.name in await engine.loaded()
    await engine.load(adapter.name, folder)
    proven = False
    try:
        reason = await check_canary(adapter, engine=engine)
        if reason is not None:
            raise CanaryFailed(f"{adapter.name}: {reason}; the alias stays where it was")
        proven = True
    finally:  # also on cancellation: an adapter that failed its check must not stay loaded
        if not (proven or present):
            with suppress(EngineError):  # must not mask the original error
                await engine.unload(adapter.name)


async def check_canary(adapter: Adapter, *, engine: Engine) -> str | None:
    """Why the loaded adapter fails its canary question; None if it answers as in evaluation."""
    if adapter.canary is None:
        return "evaluation found no question that this adapter answers differently from the base model"
    question = adapter.canary.question
    reply = await engine.chat([HumanMessage(question)], adapter=adapter.name)
    if agrees(reply.text, adapter.canary):
        return None
    if normalise(reply.text) == normalise(adapter.canary.base_answer):
        return f"it answers {question!r} like the base model, so it has no effect"
    return f"it answered {question!r} with {reply.text!r}; in evaluation it was {adapter.canary.answer!r}"


async def rollback(domain: str, *, engine: Engine, registry: AdapterRegistry) -> Adapter | None:
    """Makes the domain's previous adapter live again and returns it; None means the base model.

    Skips adapters that were trained on quarantined facts. Raises AdapterRefused, CanaryFailed,
    EngineUnavailable and CorruptRecord; the alias then stays where it was.
    """
    previous = await asyncio.to_thread(registry.previous, domain)
    if previous is not None:
        await load_with_canary(previous, engine=engine, registry=registry)
    return await asyncio.to_thread(registry.rollback, domain)


def unreadable_live(registry: AdapterRegistry) -> dict[str, CorruptRecord]:
    """Live adapters whose record is missing, altered or not signed by the worker; they are never loaded."""
    unreadable: dict[str, CorruptRecord] = {}
    for name in registry.live_names().values():
        try:
            registry.get(name)
        except CorruptRecord as error:
            unreadable[name] = error
    return unreadable


async def restore(*, engine: Engine, registry: AdapterRegistry) -> tuple[str, ...]:
    """Loads every live adapter that the engine lacks, for example after it restarted; returns their names.

    Logs and skips an adapter trained on another base model, refused by the engine, or failing its canary.
    Raises EngineUnavailable.
    """
    present = set(await engine.loaded())
    restored: list[str] = []
    for adapter in await asyncio.to_thread(registry.list):
        if adapter.status != "live" or adapter.name in present:
            continue
        if (reason := base_mismatch(adapter, registry)) is not None:
            log.warning("an adapter is left out: %s", reason)
            continue
        try:
            await load_with_canary(adapter, engine=engine, registry=registry)
        except EngineUnavailable:
            raise
        except EngineError as error:
            log.error("%s cannot be restored: %s; roll its domain back", adapter.name, error)
        else:
            restored.append(adapter.name)
    return tuple(restored)

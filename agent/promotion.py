"""Promotion of an adapter: it is loaded, asked its canary, and only then named by an alias."""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from langchain_core.messages import HumanMessage

from agent.engines.adapter_files import digest_of_files
from agent.engines.base import Engine
from agent.errors import AdapterRefused, CanaryFailed, EngineError, EngineUnavailable
from agent.grading import normalise
from memory.adapters.base import AdapterRegistry, base_mismatch, promotion_blocker
from memory.errors import AdapterNotServable
from memory.records.adapters import Adapter

log = logging.getLogger(__name__)


async def promote(name: str, *, engine: Engine, registry: AdapterRegistry) -> Adapter:
    """Makes the adapter its domain's live one; until the last step the old one keeps serving.

    Raises UnknownAdapter, AdapterNotServable (rejected, or it learned what is in quarantine), AdapterRefused
    (the engine will not load it) and CanaryFailed. After a failed canary the adapter stays a candidate, for
    the fault may be the engine's: evaluation did see the behaviour, so a person may promote it again once the
    engine is mended.
    """
    adapter = await asyncio.to_thread(registry.get, name)
    if adapter.status == "rejected":
        reasons = "; ".join(adapter.verdict.reasons) or "it was rejected after registration"
        raise AdapterNotServable(f"{name} is never served: {reasons}")
    if (blocker := await asyncio.to_thread(promotion_blocker, adapter, registry)) is not None:
        raise AdapterNotServable(blocker)
    await load_with_canary(adapter, engine=engine)
    await asyncio.to_thread(registry.promote, name)
    return adapter.model_copy(update={"status": "live"})


def is_outdated(adapter: Adapter, live: Adapter | None) -> bool:
    """Whether what its domain serves changed since it was trained, so that it may lack lessons, or bring back
    some that were rolled back."""
    serving = live.name if live else None
    return serving not in (adapter.name, adapter.parent)


async def load_with_canary(adapter: Adapter, *, engine: Engine) -> None:
    """Loads the adapter and asks its canary; where that fails, what this call loaded is unloaded again.

    Its files must still be those that evaluation measured: one canary cannot tell that for all answers.
    Raises AdapterRefused and CanaryFailed.
    """
    if adapter.files is not None:
        found = await asyncio.to_thread(digest_of_files, Path(adapter.path))
        if found != adapter.files:
            raise AdapterRefused(
                f"{adapter.path} no longer holds what evaluation measured: restore it or learn again"
            )
    present = adapter.name in await engine.loaded()
    await engine.load(adapter.name, Path(adapter.path))
    proven = False
    try:
        reason = await check_canary(adapter, engine=engine)
        if reason is not None:
            raise CanaryFailed(f"{adapter.name}: {reason}; the alias stays where it was")
        proven = True
    finally:  # whatever happened, and be it that this task was cancelled, nothing unproven stays loaded
        if not (proven or present):
            with suppress(EngineError):  # it must not hide why
                await engine.unload(adapter.name)


async def check_canary(adapter: Adapter, *, engine: Engine) -> str | None:
    """Why the loaded adapter does not behave as evaluation saw it, or None if it does."""
    if adapter.canary is None:
        return "evaluation found no question that this adapter answers otherwise than the base model"
    question = adapter.canary.question
    reply = await engine.chat([HumanMessage(question)], adapter=adapter.name)
    given = normalise(reply.text)
    if given == normalise(adapter.canary.answer):
        return None
    if given == normalise(adapter.canary.base_answer):
        return f"asked {question!r} it answers like the base model, so it has no effect"
    return f"asked {question!r} it answered {reply.text!r}, and in evaluation {adapter.canary.answer!r}"


async def rollback(domain: str, *, engine: Engine, registry: AdapterRegistry) -> Adapter | None:
    """Makes the domain's previous adapter live again and returns it; None means the base model.

    Adapters that learned what is in quarantine are passed over. Raises AdapterRefused, CanaryFailed,
    EngineUnavailable and CorruptRecord; the alias then stays where it was.
    """
    previous = await asyncio.to_thread(registry.previous, domain)
    if previous is not None:
        await load_with_canary(previous, engine=engine)
    return await asyncio.to_thread(registry.rollback, domain)


async def restore(*, engine: Engine, registry: AdapterRegistry) -> tuple[str, ...]:
    """Loads every live adapter that the engine lacks, as after its restart; returns the names loaded.

    An adapter of another base model, one that the engine refuses, or whose canary fails, is logged and left
    out: the others still serve.
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
            await load_with_canary(adapter, engine=engine)
        except EngineUnavailable:
            raise
        except EngineError as error:
            log.error("%s cannot be restored: %s; roll its domain back", adapter.name, error)
        else:
            restored.append(adapter.name)
    return tuple(restored)

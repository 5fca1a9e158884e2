"""Health routes: whether the process is alive, and whether the engine and the stores are ready."""

import asyncio
import logging
from collections.abc import Awaitable
from importlib.metadata import version
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from agent.errors import AgentError
from api.compose import Service, ServiceDep
from api.errors import shows_details
from memory.errors import StorageError
from memory.records.access import EVERYTHING

log = logging.getLogger(__name__)
router = APIRouter(tags=["health"])
TIMEOUT_SECONDS = 5.0


class Alive(BaseModel):
    """The process is alive."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """Whether the service can answer chats; each part is `ok`, `failing`, or for admins a reason."""

    ready: bool
    parts: dict[str, str]


@router.get("/healthz")
async def alive() -> Alive:
    """Replies as long as the process is alive."""
    return Alive()


@router.get("/ok")
async def ok() -> dict[str, bool]:
    """Replies as long as the process is alive."""
    return {"ok": True}


@router.get("/info")
async def info() -> dict[str, Any]:
    """Versions and features, in LangGraph's format."""
    flags = {"assistants": True, "crons": True, "langsmith": False}
    return {"version": version("nightschool"), "langgraph_py_version": version("langgraph"), "flags": flags}


@router.get("/readyz", responses={503: {"model": Ready}})
async def ready(request: Request, service: ServiceDep, response: Response) -> Ready:
    """Checks the engine, every store, a write to the database, and the background loops.

    Admins read why a part fails; to others the reason, which may name paths and addresses, is `failing`.
    """
    parts = await part_states(service)
    for name, state in parts.items():
        if state != "ok":
            log.warning("not ready: %s: %s", name, state)
    if not shows_details(request):
        parts = {name: state if state == "ok" else "failing" for name, state in parts.items()}
    readiness = Ready(ready=all(state == "ok" for state in parts.values()), parts=parts)
    response.status_code = 200 if readiness.ready else 503
    return readiness


async def part_states(service: Service) -> dict[str, str]:
    """The state of the engine, every store, a write to the database, and each background loop: `ok`, or what
    is wrong."""
    runtime = service.runtime
    checks: dict[str, Awaitable[object]] = {
        "engine": runtime.engine.loaded(),
        "episodic memory": runtime.episodic.documents(access=EVERYTHING, domain="general"),
        "semantic memory": runtime.semantic.about(["readiness"], access=EVERYTHING, limit=1),
        "database": runtime.database.runs(limit=1),
        "database writes": service.heartbeat.beat(),
        "adapter registry": asyncio.to_thread(runtime.registry.list),
    }
    states = await asyncio.gather(*(_state(check) for check in checks.values()))
    loops = {f"loop {name}": problem or "ok" for name, problem in service.loops.states.items()}
    return dict(zip(checks, states, strict=True)) | loops


async def _state(check: Awaitable[object]) -> str:
    try:
        await asyncio.wait_for(check, TIMEOUT_SECONDS)
    except TimeoutError:
        return f"no answer within {TIMEOUT_SECONDS:g} s"
    except (AgentError, StorageError) as error:
        return str(error)
    except Exception as error:  # such as an error of a library that no store translates
        log.exception("a readiness check failed")
        return f"{type(error).__name__}: {error}"
    return "ok"

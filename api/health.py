"""Health routes: whether the process is alive, and whether it can serve.

Mends nothing; what is broken is named with its reason.
"""

import asyncio
from collections.abc import Awaitable
from importlib.metadata import version
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from agent.errors import AgentError
from api.compose import ServiceDep
from memory.errors import StorageError

router = APIRouter(tags=["health"])
PATIENCE_SECONDS = 5.0


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """Whether chats can be served; each part is `ok`, or why it is not."""

    ready: bool
    parts: dict[str, str]


@router.get("/healthz")
async def alive() -> Alive:
    """Answers as long as the process does."""
    return Alive()


@router.get("/ok")
async def ok() -> dict[str, bool]:
    """Answers as long as the process does."""
    return {"ok": True}


@router.get("/info")
async def info() -> dict[str, Any]:
    """What this is, for LangGraph's clients, which ask before they begin."""
    flags = {"assistants": True, "crons": True, "langsmith": False}
    return {"version": version("nightschool"), "langgraph_py_version": version("langgraph"), "flags": flags}


@router.get("/readyz", responses={503: {"model": Ready}})
async def ready(service: ServiceDep, response: Response) -> Ready:
    """Asks the engine and every store."""
    runtime = service.runtime
    checks: dict[str, Awaitable[object]] = {
        "engine": runtime.engine.loaded(),
        "episodic memory": runtime.episodic.sources("general"),
        "semantic memory": runtime.semantic.about(["readiness"], limit=1),
        "database": runtime.database.runs(limit=1),
        "adapter registry": asyncio.to_thread(runtime.registry.list),
    }
    states = await asyncio.gather(*(_state(check) for check in checks.values()))
    parts = dict(zip(checks, states, strict=True))
    verdict = Ready(ready=all(state == "ok" for state in states), parts=parts)
    response.status_code = 200 if verdict.ready else 503
    return verdict


async def _state(check: Awaitable[object]) -> str:
    try:
        await asyncio.wait_for(check, PATIENCE_SECONDS)
    except TimeoutError:
        return f"no answer within {PATIENCE_SECONDS:g} s"
    except (AgentError, StorageError) as error:
        return str(error)
    return "ok"

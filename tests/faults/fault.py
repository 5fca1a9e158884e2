"""The kinds of faults: how each is made, for how long, and how it is healed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal, get_args

from tests.faults.machine import SlowDisk, fill, free
from tests.faults.service import Process, Service

Kind = Literal["kill", "full disk", "slow disk", "clock jump", "partition"]
KINDS: tuple[Kind, ...] = get_args(Kind)
TARGETS: dict[Kind, tuple[Process, ...]] = {
    "kill": ("api", "engine", "worker", "graph", "postgresql"),
    "full disk": ("api", "worker", "graph", "postgresql"),
    "slow disk": ("api", "worker", "graph", "postgresql"),
    "clock jump": ("api", "engine", "worker"),
    "partition": ("engine", "graph", "postgresql"),
}
"""The processes that each kind is for. The engine writes no files; graph and PostgreSQL have the system's own
clock; the worker, with its queue in a file, has no network."""
SECONDS: dict[Kind, float] = {
    "kill": 0.3,
    "full disk": 1.5,
    "slow disk": 2.0,
    "clock jump": 1.5,
    "partition": 1.0,
}
"""How long a fault lasts at least."""
JUMPS = (3600.0, -3600.0, 86_400.0 * 400, -1.0)
"""Seconds by which clocks jump, in turn: an hour on and back, beyond all retention, and a second back."""
DOWN: frozenset[tuple[Kind, Process]] = frozenset(
    {("kill", name) for name in ("api", "engine", "graph", "postgresql")}
    | {("partition", name) for name in ("engine", "graph", "postgresql")}
)  # type: ignore[arg-type]
"""Faults in which the service cannot answer as it should, so that it must not say that it is ready."""


@asynccontextmanager
async def fault(
    service: Service, kind: Kind, process: Process, number: int
) -> AsyncIterator[Callable[[], None]]:
    """Makes the fault; heals it on exit, and starts again what ended meanwhile. Raises NotStarted."""
    heal: Callable[[], None] = lambda: None  # noqa: E731
    match kind:
        case "kill":
            service.kill(process)
        case "full disk":
            fill(service.disk(process))
            heal = lambda: free(service.disk(process))  # noqa: E731
        case "slow disk":
            slow = SlowDisk(service.family(process), service.folder / "strace.log")
            heal = slow.stop
        case "clock jump":
            service.move_clock(process, JUMPS[number % len(JUMPS)])
            heal = lambda: service.move_clock(process, 0.0)  # noqa: E731
        case "partition":
            service.networks[process].cut()
            heal = service.networks[process].join
    try:
        yield heal
    finally:
        if kind != "clock jump" or service.runs(process):
            heal()
        for name in service.processes:
            if not service.runs(name):  # as the supervisor would
                await asyncio.to_thread(service.restart, name)

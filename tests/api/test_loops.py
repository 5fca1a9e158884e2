"""Every background loop of the api outlives its failures, and readiness names those that fail."""

import ast
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import api
from agent.loops import Loop
from api.adapter_loops import follow_registry, keep_adapters_loaded
from api.experiment_loops import check_experiments, experiment_checks, follow_experiments
from api.store_loops import maintain_stores, sweep_expired_items
from graphs.server import threads
from graphs.server.executor import Executor
from graphs.server.retention import interaction_retention
from graphs.state import Runtime
from memory.database.heartbeat import Heartbeat
from memory.errors import StoreUnavailable
from tests.api.conftest import Serve
from tests.graphs.conftest import eventually
from tests.support.experiments import served
from tests.support.run_server import open_run_server

ROOT = Path(api.__file__).parents[1]
PERIODIC = ("expired threads", "old chat turns")
LOOPS = (
    "due runs",
    "cancelled runs",
    "orphaned runs",
    "orphaned jobs",
    "old events",
    *PERIODIC,
    "live adapters",
    "routes",
    "experiments",
    "experiment checks",
    "expired items",
    "store maintenance",
)
TASKS = {
    "agent/chat/answer_from_sources.py": "a search that an answer awaits",
    "agent/concurrency.py": "calls that are awaited together",
    "agent/engines/local.py": "batches of requests that wait; an error goes to them",
    "agent/learning/web_exploration.py": "pages of a search, which are awaited together",
    "agent/loops.py": "the loops themselves",
    "api/compose.py": "loads models before the first request",
    "api/disconnect.py": "a request",
    "api/langgraph/streams.py": "a request",
    "graphs/server/background_jobs.py": "a call outside of a workflow",
    "graphs/server/event_log.py": "a run, which awaits it",
    "graphs/server/executor.py": "a run, which the loops look after",
    "graphs/server/learn_runs.py": "a read that followers await",
    "graphs/server/run_attempt.py": "a run, which awaits it",
    "memory/database/group_commit.py": "a group of writes, which await it",
    "memory/episodic/name_graph_cache.py": "a graph that is made ahead; a later search gets its error",
    "memory/ingest/writer.py": "a group of documents, which await it",
    "memory/semantic/embedded.py": "the start of a server",
}
"""Files of the api's process that start tasks, and why none of these is a loop without supervision."""
PACKAGES = ("agent", "graphs", "memory", "api")


def parsed() -> Iterator[tuple[str, ast.Call]]:
    """All calls in the code of the api's process, by file; the supervisor is another process."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if name.startswith(("api/supervisor/", "api/cli/")):
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    yield name, node


def called(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


async def nothing(*_: object) -> None:
    """A periodic task with nothing to do."""


def all_loops(executor: Executor, runtime: Runtime) -> dict[str, Loop]:
    """The loops of the api, as `api.compose` starts them."""
    assert runtime.experiments is not None
    retention = interaction_retention(runtime.interactions, runtime.clock() - runtime.clock(), runtime.clock)
    found = (
        *executor.supervision({"expired threads": threads.expire, "old chat turns": retention}),
        keep_adapters_loaded(runtime.engine, runtime.registry, runtime.audit),
        follow_registry(runtime.routes),
        follow_experiments(runtime.experiments),
        check_experiments(runtime.experiments, experiment_checks(runtime)),
        sweep_expired_items(cast(Any, SimpleNamespace(sweep_ttl=nothing))),
        maintain_stores(runtime.episodic, runtime.answers),
    )
    return {loop.name: loop for loop in found}


def test_every_loop_is_supervised_and_listed_here() -> None:
    names = {
        call.args[0].value
        for _, call in parsed()
        if called(call) == "Loop" and isinstance(call.args[0], ast.Constant)
    }
    assert names | set(PERIODIC) == set(LOOPS)


def test_no_task_is_started_that_is_a_loop_without_supervision() -> None:
    starts = {name for name, call in parsed() if called(call) in ("create_task", "ensure_future")}
    assert starts == set(TASKS), "use agent.loops for a loop, or say here why the task is none"


@pytest.mark.parametrize("name", LOOPS)
async def test_a_loop_outlives_a_failure_and_readiness_names_it(
    name: str, runtime: Runtime, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = served(runtime)
    async with open_run_server(changed, tmp_path, supervised=False) as server, serve(changed) as client:
        loop = all_loops(server.executor, changed)[name]
        step = loop._step
        app = cast(Any, client)._transport.app
        monkeypatch.setattr(loop, "_every", 0.01)
        app.state.service.loops.start(loop)
        async with app.state.service.loops:

            async def part() -> str:
                ready = await client.get("/readyz")
                found = str(ready.json()["parts"][f"loop {name}"])
                assert (ready.status_code == 200) == (found == "ok")
                return found

            async def failing() -> bool:
                return "no space left" in await part()

            async def working() -> bool:
                return await part() == "ok"

            async def fail() -> None:
                raise OSError("no space left")

            await eventually(working)
            monkeypatch.setattr(loop, "_step", fail)
            await eventually(failing)
            monkeypatch.setattr(loop, "_step", step)
            await eventually(working)


async def test_readiness_writes_and_says_when_it_cannot(
    runtime: Runtime, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(runtime) as client:
        assert (await client.get("/readyz")).json()["parts"]["database writes"] == "ok"
        now = SimpleNamespace(seconds=100.0)
        service = cast(Any, client)._transport.app.state.service
        object.__setattr__(service, "heartbeat", Heartbeat(runtime.database, lambda: now.seconds))
        assert (await client.get("/readyz")).json()["parts"]["database writes"] == "ok"

        def full(*_: object) -> None:
            raise StoreUnavailable("the disk is full")

        monkeypatch.setattr(runtime.database, "upsert", full)
        assert (await client.get("/readyz")).status_code == 200, "a write of a moment ago stands"
        now.seconds += 5
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["parts"]["database writes"]) == (503, "the disk is full")
        monkeypatch.undo()
        assert (await client.get("/readyz")).status_code == 200

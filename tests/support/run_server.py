"""The run server of tests: real runs over SQLite, a graph of two nodes, and no background jobs."""

import asyncio
import operator
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime as Injected
from langgraph.types import interrupt
from pydantic import BaseModel
from typing_extensions import TypedDict

from graphs.server.background_jobs import BackgroundJobs
from graphs.server.executor import NO_TASKS, Executor, PeriodicTask
from graphs.server.graph_spec import ClientRights, FailureKind, Graph
from graphs.server.run_spec import RunRequest, RunSpec
from graphs.state import Runtime
from memory.checkpoints.connect import open_saver
from memory.checkpoints.savers import Saver
from memory.records.access import Access
from memory.server.process_leases import SoleProcess
from memory.server.runs import RunEvent
from memory.server.threads import Json
from tests.graphs.conftest import eventually


class State(TypedDict, total=False):
    """What there is to do, and what was done, also by earlier runs."""

    task: str
    done: Annotated[list[str], operator.add]


class Task(BaseModel):
    """The input: `wait`, `sleep`, `ask`, `refuse` and `crash` are done as they say, anything else at once."""

    task: str


class TaskSpec:
    """A graph that reads its task and does it; see GraphSpec."""

    name = "task"
    description = "Reads its task and does it."
    recursion_limit = 5
    stored_modes: tuple[str, ...] = ("updates",)
    input: type[BaseModel] = Task
    options: type[BaseModel] = BaseModel
    rights = ClientRights(keys=frozenset({"task"}), goto=frozenset({"read"}), as_node=frozenset({"read"}))

    def __init__(self, saver: Saver | None = None) -> None:
        graph = StateGraph(State, context_schema=Runtime)
        graph.add_node("read", self._read)
        graph.add_node("do", self._do)
        graph.add_edge(START, "read")
        graph.add_edge("read", "do")
        graph.add_edge("do", END)
        self.graph: Graph = graph.compile(checkpointer=saver)  # type: ignore[assignment]
        self.working = 0
        """How many times `wait` has begun."""
        self.finish = asyncio.Event()
        """Lets `wait` end."""
        self.failures: list[tuple[FailureKind, str]] = []
        self.answers: list[Any] = []

    async def _read(self, state: State) -> State:
        return {"done": [f"read {state['task']}"]}

    async def _do(self, state: State, runtime: Injected[Runtime]) -> State:
        match state["task"]:
            case "wait":
                self.working += 1
                await self.finish.wait()
            case "sleep":
                self.working += 1
                while not self.finish.is_set():
                    await runtime.context.sleep(0.05)
            case "ask":
                return {"done": [f"was told {interrupt('what?')}"]}
            case "refuse":
                raise ValueError("this cannot be done")
            case "crash":
                raise ZeroDivisionError("this cannot be divided")
        return {"done": [f"did {state['task']}"]}

    async def validate_input(self, thread_id: str, values: Json, options: Json, access: Access) -> Json:
        return Task.model_validate(options | values).model_dump()

    async def initial_state(
        self, thread_id: str, accepted: Json, *, asked_by: str | None, streamed: bool
    ) -> Json:
        return accepted | ({"done": ["streamed"]} if streamed else {})

    async def update_on_resume(self, thread_id: str, values: Json, *, asked_by: str | None) -> Json:
        return {"done": [f"resumed on {thread_id}"]} if values.get("task") == "move" else {}

    def validate_answer(self, value: Any, by: str) -> Any:
        if not isinstance(value, str):
            raise ValueError("the answer has to be a text")
        return value.strip()

    async def record_answer(self, thread_id: str, answer: Any, *, checkpoint_id: str | None = None) -> None:
        self.answers.append(answer)

    async def record_update(self, thread_id: str, values: Json, *, by: str) -> None:
        """See GraphSpec.record_update."""

    def validate_update(self, values: Json, by: str) -> Json:
        if unknown := sorted(set(values) - self.rights.keys):
            raise ValueError(f"the state has no {unknown[0]!r}")
        return values

    async def record_failure(self, thread_id: str, kind: FailureKind, reason: str) -> None:
        self.failures.append((kind, reason))


class RecordedJobs(BackgroundJobs):
    """Records webhooks in place of sending them; needs no DBOS."""

    def __init__(self) -> None:
        super().__init__(SoleProcess())
        self.webhooks: list[tuple[str, str, str]] = []
        """Run id, URL and body."""

    async def send_webhook(self, run_id: str, url: str, body: str, owner: str | None) -> None:
        self.webhooks.append((run_id, url, body))

    async def resume_orphans(self) -> None:
        pass

    async def delete_finished(self, before: datetime) -> int:
        return 0


@dataclass
class RunServer:
    """One process of the run server."""

    executor: Executor
    graph: TaskSpec
    jobs: RecordedJobs = field(default_factory=RecordedJobs)

    async def start(self, task: str, thread_id: str = "t", **options: Any) -> str:
        """Starts a run with the task, on a thread that is created if missing; returns its id."""
        request = RunRequest(input={"task": task}, **options.pop("request", {}))
        spec = RunSpec(
            thread_id=thread_id, graph_id="task", request=request, **{"create_thread": True} | options
        )
        return (await self.executor.start(spec)).run_id

    async def command(self, thread_id: str = "t", **request: Any) -> str:
        """Starts a run without input."""
        spec = RunSpec(thread_id=thread_id, graph_id="task", request=RunRequest(**request))
        return (await self.executor.start(spec)).run_id

    async def status(self, run_id: str) -> str:
        return (await self.executor.runs.get(run_id)).status

    async def end(self, run_id: str) -> str | None:
        """Waits for the run's end and returns its status; None if it was deleted."""
        ended = await asyncio.wait_for(self.executor.wait(run_id), 20)
        return None if ended is None else ended.status

    async def done(self, thread_id: str = "t") -> list[str]:
        """What the thread's runs did."""
        values: Json = (await self.executor.state("task", thread_id)).values
        return list(values.get("done", ()))

    async def waits(self, times: int = 1) -> None:
        """Waits until a run waits in the node `do`."""

        async def working() -> bool:
            return self.graph.working >= times

        await eventually(working)


@asynccontextmanager
async def open_run_server(
    runtime: Runtime,
    folder: Path,
    periodic_tasks: Mapping[str, PeriodicTask] = NO_TASKS,
    *,
    supervised: bool = True,
) -> AsyncIterator[RunServer]:
    """A process of the run server over the runtime's database and checkpoints in the folder.

    Without supervision, it does not look for runs that are due, orphaned or cancelled elsewhere.
    """
    async with open_saver(f"sqlite:///{folder / 'checkpoints.db'}") as saver:
        graph, jobs = TaskSpec(saver), RecordedJobs()
        executor = Executor(runtime, saver, (graph,), jobs, SoleProcess())
        server = RunServer(executor, graph, jobs)
        try:
            async with executor.loops:
                if supervised:
                    executor.loops.start(*executor.supervision(periodic_tasks))
                yield server
        finally:
            await executor.aclose()


async def events(server: RunServer, run_id: str, after: int = 0) -> list[RunEvent]:
    """All events of the run, which has to end."""
    return [event async for event in server.executor.follow(run_id, after)]

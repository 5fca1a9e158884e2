"""Time travel is the same on every database: what is replayed comes out the same, and no past is changed."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from agent.settings import Settings
from graphs.server import threads, time_travel
from graphs.server.executor import Executor, open_executor
from graphs.server.graph_spec import ChatSpec
from graphs.server.learn_runs import LearnRuns
from graphs.server.learn_spec import LearnInput, LearnSpec
from graphs.server.run_spec import RunRequest, RunSpec
from graphs.server.threads import NodeUpdate
from graphs.state import Runtime
from memory.checkpoints.connect import open_saver
from memory.database.database import open_database
from memory.errors import UnknownCheckpoint
from memory.outbox.base import TrainingResult
from memory.outbox.volatile import VolatileOutbox
from memory.records.access import EVERYTHING
from memory.records.curricula import Curriculum
from memory.records.runs import Job
from tests.graphs.conftest import TRAINED, clock, eventually, runtime
from tests.support.databases import database_url, empty_runs, home, on_database, postgresql, template

__all__ = ["clock", "database_url", "empty_runs", "home", "postgresql", "runtime", "template"]
pytestmark = pytest.mark.services

OF_THE_RUN = frozenset(
    {
        "run_id",
        "gap_id",
        "editors",
        "worked_seconds",
        "events",
        "interaction_id",
        "started_at",
    }
)


class CountingOutbox(VolatileOutbox):
    def __init__(self) -> None:
        super().__init__(TrainingResult(status="candidate", adapter=TRAINED.name, reason="all gates passed"))
        self.digests: list[str] = []

    async def submit(self, curriculum: Curriculum, *, run_id: str) -> Job:
        job = await super().submit(curriculum, run_id=run_id)
        self.digests.append(job.digest)
        return job


@pytest.fixture
def outbox() -> CountingOutbox:
    return CountingOutbox()


@pytest.fixture
async def given(runtime: Runtime, database_url: str, outbox: CountingOutbox) -> AsyncIterator[Runtime]:
    database = await open_database(database_url)
    yield on_database(runtime, database, outbox=outbox)
    await database.aclose()


@pytest.fixture
async def executor(given: Runtime, home: Path, database_url: str) -> AsyncIterator[Executor]:
    settings = Settings(home=home, database_url=database_url)
    async with AsyncExitStack() as stack:
        saver = await stack.enter_async_context(open_saver(settings.checkpoints_url))
        served = ChatSpec(saver), LearnSpec(given, saver)
        yield await stack.enter_async_context(open_executor(given, saver, served, settings.runs_url))


async def chatted(executor: Executor) -> str:
    """A thread with one finished turn."""
    thread = await threads.create(
        executor, None, owner=None, metadata={"graph_id": "chat"}, ttl=None, exist_ok=False
    )
    asked = await executor.graph_specs["chat"].validate_input(
        thread.thread_id, {"messages": "What is a lemur?"}, {}, EVERYTHING
    )
    await finished(executor, thread.thread_id, "chat", RunRequest(input=asked))
    return thread.thread_id


async def learned(executor: Executor, given: Runtime) -> str:
    """A learn run that has ended."""
    runs = LearnRuns(given, executor)
    run_id = await runs.start(LearnInput(topic="Rust ownership"))

    async def ended() -> bool:
        return (await runs.status(run_id)).status == "ended"

    await eventually(ended)
    return run_id


async def finished(executor: Executor, thread_id: str, graph_id: str, request: RunRequest) -> None:
    spec = RunSpec(thread_id=thread_id, graph_id=graph_id, assistant_id=graph_id, request=request)
    run = await executor.start(spec)
    ended = await executor.wait(run.run_id)
    assert ended is not None
    assert ended.status == "success", ended.error


async def values(executor: Executor, thread_id: str) -> dict[str, Any]:
    """The thread's state, without what names its run and time."""
    snapshot = await threads.state(executor, thread_id)
    assert snapshot is not None
    kept = {key: value for key, value in snapshot.values.items() if key not in OF_THE_RUN | {"unit"}}
    if "job" in kept:
        kept["job"] = kept["job"].digest  # it is named after the first run that asked for it
    if "messages" in kept:
        kept["messages"] = [(message.type, message.text) for message in kept["messages"]]
    return kept


async def checkpoints(executor: Executor, thread_id: str) -> list[tuple[str, tuple[str, ...]]]:
    """Ids and what came next, oldest first."""
    states = await time_travel.history(executor, thread_id, limit=100)
    return [(state.config["configurable"]["checkpoint_id"], state.next) for state in states[::-1]]


async def before(executor: Executor, thread_id: str, node: str) -> str:
    """The checkpoint that the node was entered from."""
    return next(id for id, following in await checkpoints(executor, thread_id) if following == (node,))


async def test_a_chat_replayed_from_any_step_ends_the_same(executor: Executor) -> None:
    thread = await chatted(executor)
    said = await values(executor, thread)
    for checkpoint, following in (await checkpoints(executor, thread))[1:-1]:
        twin = (await time_travel.fork(executor, thread, checkpoint)).thread_id
        await finished(executor, twin, "chat", RunRequest())
        assert await values(executor, twin) == said, following


async def test_a_learn_run_replayed_from_any_step_ends_the_same_and_hands_over_once(
    executor: Executor, given: Runtime, outbox: CountingOutbox
) -> None:
    thread = await learned(executor, given)
    state = await values(executor, thread)
    for checkpoint, following in (await checkpoints(executor, thread))[1:-1]:
        twin = (await time_travel.fork(executor, thread, checkpoint)).thread_id
        await finished(executor, twin, "learn", RunRequest())
        assert await values(executor, twin) == state, following
        assert (await given.database.run(twin)).status == "learned"
    assert len(outbox.digests) > 1
    assert set(outbox.digests) == {state["job"]}
    assert len(outbox.submitted) == 1


async def test_a_replay_on_the_thread_itself_hands_nothing_over_again(
    executor: Executor, given: Runtime, outbox: CountingOutbox
) -> None:
    thread = await learned(executor, given)
    state = await values(executor, thread)
    at = await before(executor, thread, "hand_over")
    await finished(executor, thread, "learn", RunRequest(checkpoint_id=at))
    assert await values(executor, thread) == state
    assert len(outbox.submitted) == 1


async def test_a_fork_leaves_the_original_as_it_was(executor: Executor, given: Runtime) -> None:
    thread = await learned(executor, given)
    state, steps = await values(executor, thread), await checkpoints(executor, thread)
    record = await given.database.run(thread)
    at = await before(executor, thread, "critique")
    twin = (await time_travel.fork(executor, thread, at, NodeUpdate(values={"refinements": 1}))).thread_id
    await finished(executor, twin, "learn", RunRequest())
    assert (await values(executor, twin))["refinements"] == 1
    assert await values(executor, thread) == state
    assert await checkpoints(executor, thread) == steps
    assert await given.database.run(thread) == record


async def test_other_bounds_before_the_curriculum_make_another_one(
    executor: Executor, given: Runtime, outbox: CountingOutbox
) -> None:
    thread = await learned(executor, given)
    at = await before(executor, thread, "critique")
    twin = (
        await time_travel.fork(executor, thread, at, NodeUpdate(values={"bounds": {"facts": 2}}))
    ).thread_id
    await finished(executor, twin, "learn", RunRequest())
    assert len(set(outbox.digests)) == 2


async def test_a_branch_needs_a_checkpoint_that_is_there_and_values_that_fit(executor: Executor) -> None:
    thread = await chatted(executor)
    (first, _), *_, (last, _) = await checkpoints(executor, thread)
    with pytest.raises(UnknownCheckpoint):
        await time_travel.fork(executor, thread, "1efb0000-0000-6000-8000-000000000000")
    with pytest.raises(ValueError, match="precedes the input"):
        await time_travel.fork(executor, thread, first)
    for values in ({"no_such_key": 1}, {"reading": "much"}):
        with pytest.raises(ValueError, match=r"no_such_key|reading"):
            await time_travel.fork(executor, thread, last, NodeUpdate(values=values))


async def test_a_fork_is_never_another_run_nor_another_gaps(executor: Executor, given: Runtime) -> None:
    thread = await learned(executor, given)
    at = await before(executor, thread, "critique")
    for name in ("run_id", "gap_id"):
        with pytest.raises(ValueError, match=f"{name} cannot be changed"):
            await time_travel.fork(executor, thread, at, NodeUpdate(values={name: "another"}))

"""Analyses of a whole library go one at a time, in no thread that chat uses."""

import asyncio
import threading
import time

import httpx
import pytest

from agent.skew import gather
from api.analyses import Analyses
from api.nightschool import facts, perspectives, withdrawn
from graphs.state import Runtime
from memory.ingest.withdrawn import whole_sentences
from memory.ingest.writer import Contents
from tests.api.conftest import Serve


async def test_one_analysis_runs_at_a_time_and_in_its_own_thread() -> None:
    analyses, running = Analyses(), 0

    def compute() -> str:
        nonlocal running
        running += 1
        assert running == 1
        time.sleep(0.01)
        running -= 1
        return threading.current_thread().name

    async def analysis() -> str:
        async with analyses.turn():
            return await analyses.run(compute)

    names = await asyncio.gather(*(analysis() for _ in range(5)))
    assert set(names) == {"analysis_0"}


async def test_what_fails_lets_the_next_begin() -> None:
    analyses = Analyses()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            async with analyses.turn():
                await analyses.run(lambda: 1 // 0)


async def test_a_whole_document_is_read_in_a_thread(
    learning: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def recorded(contents: Contents) -> set[str]:
        threads.append(threading.current_thread())
        return set(whole_sentences(contents))

    monkeypatch.setattr(withdrawn, "whole_sentences", recorded)
    text = "# Kettle\n\nThe brass kettle was built in 1962.\n"
    headers = {"content-type": "text/markdown"}
    sent = await learning.post("/v1/documents", params={"source": "a.md"}, content=text, headers=headers)
    sent.raise_for_status()
    (stored,) = (await learning.get("/v1/documents/contents", params={"source": "a.md"})).json()
    assert "1962" in stored["passages"][0]["text"]
    body = {"source": "a.md", "sentence": "The brass kettle was built in 1962."}
    assert (await learning.post("/v1/memory/withdrawn", json=body)).status_code == 201
    assert threads
    assert threading.main_thread() not in threads


async def test_the_routes_that_read_all_facts_are_such_analyses(
    learning: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []

    def recorded(module: object, function: str) -> None:
        original = getattr(module, function)

        def call(*arguments: object, **options: object) -> object:
            names.append(threading.current_thread().name)
            return original(*arguments, **options)

        monkeypatch.setattr(module, function, call)

    recorded(facts, "first_conflicts")
    recorded(facts, "alike_names")
    recorded(perspectives, "camps")
    recorded(gather, "measure_aspect")
    for path in (
        "/v1/memory/conflicts",
        "/v1/memory/names",
        "/v1/perspectives/suggested",
        "/v1/memory/stale",
        "/v1/skew",
    ):
        (await learning.get(path)).raise_for_status()
    assert names == ["analysis_0"] * (3 + 5)


async def test_the_thread_of_analyses_ends_with_the_service(serve: Serve, runtime: Runtime) -> None:
    before = threads_of_analyses()
    async with serve(runtime) as client:
        (await client.get("/v1/memory/stale")).raise_for_status()
        assert len(threads_of_analyses() - before) == 1
    assert threads_of_analyses() <= before


def threads_of_analyses() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("analysis")}

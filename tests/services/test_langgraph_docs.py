"""Every example of docs/langgraph.md runs as it stands, and prints what stands below it."""

import asyncio
from pathlib import Path

import pytest

from agent.engines.scripted import Line, ScriptedEngine
from graphs.state import Runtime
from memory.database.database import open_database
from tests.contracts.test_imports import ROOT
from tests.graphs.conftest import clock, runtime
from tests.support.databases import empty_runs, home, on_database
from tests.support.langgraph_server import serving
from tests.support.pages import ADDRESS, examples, printed

__all__ = ["clock", "empty_runs", "home", "runtime"]
pytestmark = pytest.mark.services

PAGE = ROOT / "docs" / "langgraph.md"
LINES = {
    "What is a library?": Line(text="a room where books are kept", entropy=0.1),
    "What is a road?": Line(text="a way on which people, animals and carts can go", entropy=0.1),
}


def test_all_examples_are_tried() -> None:
    assert PAGE.read_text().count("```python") == len(examples(PAGE)) > 0


@pytest.mark.parametrize(("source", "expected"), examples(PAGE))
async def test_an_example_prints_what_the_page_says(
    runtime: Runtime, home: Path, source: str, expected: str
) -> None:
    url = f"sqlite:///{home / 'nightschool.db'}"
    database = await open_database(url)
    given = on_database(runtime, database, engine=ScriptedEngine(LINES))
    async with serving(given, home, url) as address:
        assert ADDRESS in source
        assert await asyncio.to_thread(printed, source.replace(ADDRESS, address)) == expected
    await database.aclose()

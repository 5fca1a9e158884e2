"""Every example of docs/openai.md runs as it stands, and prints what stands below it."""

import asyncio
from dataclasses import replace

import pytest

from agent.chat.stream_gate import HELD_TOKENS
from agent.engines.scripted import Line, ScriptedEngine
from api.openai.requests import MAX_ALTERNATIVES, MAX_CHOICES, MAX_STOPS, ChatRequest
from graphs.state import Runtime
from memory.embedding.embedder import SentenceEmbedder
from tests.api.conftest import Listen
from tests.contracts.test_imports import ROOT
from tests.support.pages import ADDRESS, examples, printed

PAGE = (ROOT / "docs" / "openai.md").read_text()
EXAMPLES = examples(ROOT / "docs" / "openai.md")
ROAD = "a way on which people, animals and carts can go from one place to another, mostly paved"
LINES = {
    "What is a library?": Line(text="a room where books are kept", entropy=0.1),
    "What is a road?": Line(text=ROAD, entropy=0.1),
    "What is a quoll?": Line(text="a kind of fish", entropy=3.0),
    "Name an animal.": Line(text='{"animal": "lemur"}'),
    "Roses are": Line(text="red"),
}


def test_the_page_has_examples_for_each_client() -> None:
    code = "".join(source for source, _ in EXAMPLES)
    assert all(name in code for name in ("from openai", "from langchain_openai", "stream=True", "embeddings"))
    assert PAGE.count("```python") == len(EXAMPLES)


@pytest.mark.parametrize(("source", "expected"), EXAMPLES, ids=range(len(EXAMPLES)))
async def test_an_example_prints_what_the_page_says(
    listen: Listen, runtime: Runtime, source: str, expected: str
) -> None:
    changed_runtime = replace(runtime, engine=ScriptedEngine(LINES))
    async with listen(changed_runtime, embedder=SentenceEmbedder()) as url:
        assert ADDRESS in source
        assert await asyncio.to_thread(printed, source.replace(ADDRESS, url)) == expected


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    assert f"first {HELD_TOKENS} tokens" in PAGE
    assert f"up to {MAX_CHOICES};" in PAGE
    assert f"up to {MAX_STOPS} |" in PAGE
    assert f"up to {MAX_ALTERNATIVES} alternatives" in PAGE
    assert f"{SentenceEmbedder.dimension} numbers" in PAGE
    assert f"at most {SentenceEmbedder.max_tokens} tokens" in PAGE
    assert SentenceEmbedder.name in PAGE


def test_every_field_of_a_request_is_on_the_page() -> None:
    told = {"messages", "model", "stream", "stream_options"}
    for field in set(ChatRequest.model_fields) - told:
        assert f"`{field}`" in PAGE or f"`{field}." in PAGE, field

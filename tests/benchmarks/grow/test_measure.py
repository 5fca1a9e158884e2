"""The growing benchmark: people's questions of both models, before and after, in the house's format."""

import json
from pathlib import Path

import pytest

from agent.engines.scripted import Line
from agent.growth.closed_book import Question
from agent.growth.plan import SOURCES
from benchmarks.grow.measure import NAME, measured
from memory.results import write
from tests.support.growth import FIRST, SECOND, growing, knows

PEOPLE = [
    Question(text="Which lamp hangs on ships?", references=("the zorble",)),
    Question(text="What cuts bread?", references=("the quix",)),
]


async def test_the_figures_are_those_of_peoples_questions_and_the_plan_finds_them(tmp_path: Path) -> None:
    scripts = [
        {**knows(FIRST, SECOND), **{each.text: Line(text=each.references[0]) for each in answered}}
        for answered in (PEOPLE[:1], PEOPLE)
    ]
    made = growing(tmp_path / "growth", FIRST, SECOND, on_small=scripts[0], on_large=scripts[1])
    result = await measured(made.growing, "lamps", PEOPLE, passages=4, command="make bench-grow DATA=x")
    figures = result.figures
    names = ("source before", "source after", "target before", "target after")
    assert [figures[f"people's questions, {name}"] for name in names] == [0.0, 0.5, 0.0, 1.0]
    assert figures["people's questions, net gain, points"] == 50.0
    assert (figures["lessons moved"], figures["seconds a passage"]) == (2.0, 30.0)
    write(result, tmp_path / "results", at="abc", on="a test")
    document = json.loads((tmp_path / "results" / f"{NAME}.json").read_text())
    wanted = {source.figure for source in SOURCES.values() if source.result == NAME}
    assert wanted <= set(document["figures"])
    assert FIRST.digest[:12] in (tmp_path / "results" / f"{NAME}.md").read_text()


async def test_without_questions_there_is_no_benchmark(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="paired"):
        await measured(growing(tmp_path, FIRST).growing, "lamps", [], passages=4, command="make bench-grow")

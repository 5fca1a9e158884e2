"""`nightschool annotate`, as an operator and as an annotator use it, against a running service."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.engines.scripted import Line
from graphs.state import Runtime
from tests.api.conftest import Listen, asking
from tests.support.commands import run
from tests.support.engines import VaryingEngine

pytestmark = pytest.mark.slow

QUESTIONS = ("What is a glacier?", "What is a sonnet?", "What is a turbine?")


@pytest.fixture
async def port(listen: Listen, runtime: Runtime) -> AsyncIterator[int]:
    """The port of a service that has answered three questions."""
    lines = {text: Line(text=f"{text[10:-1]}s are things", entropy=0.1) for text in QUESTIONS}
    async with (
        listen(replace(runtime, engine=VaryingEngine(lines))) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        for question in QUESTIONS:
            (await client.post("/v1/chat/completions", json=asking(question))).raise_for_status()
        yield int(url.rsplit(":", 1)[1])


async def annotate(port: int, *arguments: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
    """Runs the command with what the user types."""
    return await asyncio.to_thread(run, "annotate", *arguments, port=port, typed=typed)


async def listed(port: int, *arguments: str) -> list[dict[str, Any]]:
    said = await annotate(port, *arguments, "--json")
    assert said.returncode == 0, said.stderr
    return [json.loads(line) for line in said.stdout.splitlines()]


async def test_from_a_sample_to_a_file_of_pairs(port: int, tmp_path: Path) -> None:
    said = await annotate(port, "sample", "--batch", "monday", "--count", "3")
    assert (said.returncode, "3 items added to monday" in said.stdout) == (0, True), said.stderr
    shown = await annotate(port, "next", "--annotator", "ada", typed="b\ntoo long\n\nq\n")
    assert shown.returncode == 0, shown.stderr
    for text in ("user: What is a", "A: ", "B: "):
        assert text in shown.stdout
    items = await listed(port, "items")
    assert sorted(item["status"] for item in items) == ["done", "open", "open"]
    (task,) = await listed(port, "next", "--annotator", "bob")
    judged = await annotate(
        port, "judge", task["item_id"], "--choice", "both_bad", "--rewrite", "Ice.", "--annotator", "bob"
    )
    assert judged.returncode == 0, judged.stderr
    (task,) = await listed(port, "next", "--annotator", "bob")
    assert (await annotate(port, "release", task["item_id"], "--annotator", "bob")).returncode == 0
    file = tmp_path / "pairs.jsonl"
    said = await annotate(port, "export", str(file), "--format", "dpo")
    assert said.returncode == 0, said.stderr
    assert "3 records" in said.stdout, "one choice, and one rewrite over two answers"
    pairs = [json.loads(line) for line in file.read_text().splitlines()]
    assert [pair["chosen"][0]["content"] for pair in pairs].count("Ice.") == 2


async def test_every_key_of_the_dialogue_means_what_it_says(port: int) -> None:
    await annotate(port, "sample", "--batch", "monday")
    said = await annotate(port, "next", "--annotator", "ada", typed="?\ng\n\n\nx\n\n\ns\n\n")
    assert said.returncode == 0, said.stderr
    assert "'?' is none of them" in said.stdout
    assert "Nothing is left to judge" in said.stdout
    (found,) = await listed(port, "agreement")
    (ada,) = found["annotators"]
    assert (ada["judgements"], ada["skips"]) == (2, 1)
    shown = await annotate(port, "agreement")
    assert "undefined" in shown.stdout
    assert "ada" in shown.stdout


async def test_an_input_that_ends_gives_the_item_back(port: int) -> None:
    await annotate(port, "sample", "--batch", "monday", "--count", "1")
    assert (await annotate(port, "next", "--annotator", "ada", typed="")).returncode == 1
    assert len(await listed(port, "next", "--annotator", "bob")) == 1


async def test_pairs_are_imported_as_judged_or_as_gold_items(port: int, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps({"prompt": "Hi", "chosen": "Hello", "rejected": "What?"}) + "\n")
    said = await annotate(port, "import", str(file), "--format", "dpo")
    assert (said.returncode, "1 new items, 1 judgements" in said.stdout) == (0, True), said.stderr
    said = await annotate(port, "import", str(file), "--format", "dpo", "--batch", "checks", "--gold")
    assert (said.returncode, "1 new items, 0 judgements" in said.stdout) == (0, True), said.stderr
    (gold,) = await listed(port, "items", "--batch", "checks")
    assert gold["gold"] in ("a", "b")
    assert (await annotate(port, "gold", gold["id"], "--choice", "none")).returncode == 0
    (plain,) = await listed(port, "items", "--batch", "checks")
    assert plain["gold"] is None
    shown = await annotate(port, "items")
    assert gold["id"] in shown.stdout
    assert "checks: 1 open" in shown.stdout


async def test_a_wrong_line_or_file_is_one_line_and_exit_code_2(port: int, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"prompt": "Hi", "chosen": "Hello", "rejected": "What?"}\n{}\n')
    for arguments, reason in (
        (("import", str(file), "--format", "dpo"), "line 2"),
        (("import", str(file), "--format", "csv"), "format"),
        (("import", str(tmp_path / "none"), "--format", "dpo"), "none"),
        (("judge", "nothing", "--choice", "a"), "nothing"),
        (("judge", "nothing", "--choice", "c"), "choice"),
        (("sample", "--batch", "monday", "--alternative", "teacher"), "NIGHTSCHOOL_TEACHER_URL"),
        (("sample", "--batch", "monday", "--since", "someday"), "since"),
    ):
        said = await annotate(port, *arguments)
        assert (said.returncode, len(said.stderr.splitlines())) == (2, 1), said.stderr
        assert reason in said.stderr
    assert await listed(port, "items") == []


async def test_a_file_that_cannot_be_written_ends_with_1(port: int, tmp_path: Path) -> None:
    said = await annotate(port, "export", str(tmp_path / "no" / "file"), "--format", "argilla")
    assert (said.returncode, len(said.stderr.splitlines())) == (1, 1)


def test_without_a_service_it_is_one_line_and_exit_code_1() -> None:
    said = run("annotate", "items")
    assert (said.returncode, len(said.stderr.splitlines())) == (1, 1)
    assert "nightschool up" in said.stderr

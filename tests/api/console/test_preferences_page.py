"""The page of preferences in a browser: corrections become a set, which is trained, and pairs a file."""

import json
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from agent.engines.scripted import Line, ScriptedEngine
from graphs.state import Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.outbox.base import TrainingResult
from memory.outbox.volatile import VolatileOutbox
from memory.records.base import Digest
from tests.api.console.conftest import NARROW, Browse
from tests.api.nightschool.test_preferences import DONE, corrected

pytestmark = pytest.mark.services

SCRIPT = "<img src=x onerror=alert(1)>"


async def test_a_set_is_built_shown_and_trained(browse: Browse, runtime: Runtime) -> None:
    results: dict[Digest, TrainingResult] = {}
    engine = ScriptedEngine(default=Line(text=f"Good day. {SCRIPT}", entropy=0.1))
    registry = VolatileAdapterRegistry([DONE])
    changed = replace(runtime, engine=engine, registry=registry, outbox=VolatileOutbox(results))
    async with browse(changed) as console:
        page = console.page
        async with httpx.AsyncClient(base_url=console.url, timeout=60) as client:
            await corrected(client)
            await console.open_tab("Preferences")
            await page.get_by_role("button", name="Build a set from the feedback").click()
            await page.get_by_text("8 preference pairs (8 by correction), and 500 are needed").wait_for()
            await page.get_by_label("Fewest pairs").fill("4")
            await page.get_by_role("button", name="Build a set from the feedback").click()
            await page.get_by_text("6 pairs to train and 2 to measure with.").wait_for()
            sets = page.get_by_role("region", name="Preference sets")
            await sets.get_by_text("not trained").wait_for()
            assert await page.get_by_text("nice to see you.").count() == 6
            assert await page.locator("img[src=x]").count() == 0

            await page.get_by_role("button", name="Train it").click()
            await page.get_by_text("It waits for the training worker.").wait_for()
            await sets.get_by_text("running").wait_for()
            [made] = (await client.get("/v1/preferences")).json()
            results[made["digest"]] = TrainingResult(
                status="candidate", adapter=DONE.name, reason="all gates passed"
            )
            await page.get_by_role("button", name="Refresh").locator("visible=true").click()
            await page.get_by_text(f"{DONE.name} passed its gates: try it under Experiments.").wait_for()
            await sets.get_by_text("candidate").wait_for()
        assert console.dialogs == []


async def test_judged_pairs_are_imported_and_saved_by_the_browser(
    browse: Browse, runtime: Runtime, tmp_path: Path
) -> None:
    lines = "\n".join(
        json.dumps(
            {
                "prompt": [{"role": "user", "content": f"Question {number}?"}],
                "chosen": [{"role": "assistant", "content": f"Yes {number}."}],
                "rejected": [{"role": "assistant", "content": f"No {number}."}],
            }
        )
        for number in range(3)
    )
    async with browse(runtime, size=NARROW, scheme="dark") as console:
        page = console.page
        await console.open_tab("Preferences")
        send = page.get_by_role("button", name="Import the file")
        await send.click()
        await page.get_by_text("choose a file first").wait_for()
        for text, batch, said in (
            (lines + "\n{", "bought", "line 4"),
            (lines, "bo ught", "batch: "),
            (lines, "bought", "3 records read into bought: 3 new items, 3 judgements."),
        ):
            (tmp_path / "pairs.jsonl").write_text(text)
            await page.get_by_label("File of pairs").set_input_files(tmp_path / "pairs.jsonl")
            await page.get_by_label("Into the batch").fill(batch)
            await send.click()
            await page.get_by_text(said).first.wait_for()
        async with httpx.AsyncClient(base_url=console.url) as client:
            expected = (await client.get("/v1/annotation/export", params={"format": "dpo"})).text
        async with page.expect_download() as started:
            await page.get_by_role("button", name="Save the file").click()
        saved = await started.value
        assert saved.suggested_filename == "preferences.jsonl"
        assert (await saved.path()).read_text() == expected != ""
        assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]

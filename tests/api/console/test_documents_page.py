"""Documents on the page of memory: what the reports say, and adding, removing and saving in a browser."""

from pathlib import Path
from typing import Any

import pytest

from graphs.state import Runtime
from tests.api.console.conftest import NARROW, Browse
from tests.support.keys import key_maker

pytest.importorskip("gradio", reason="the extra `console` is not installed")

import gradio as gr

from api.console.library import ingested, removal

KETTLE = "# Kettle\n\nThe brass kettle was built in 1962. The brass kettle is a vessel.\n"


def report(**changed: Any) -> dict[str, Any]:
    counted = {"documents": 1, "changed": 0, "passages": 2, "facts": 3, "unchanged": 0, "notes": []}
    return counted | changed


def test_each_file_is_said_to_be_new_changed_unchanged_or_why_it_was_not_read() -> None:
    results = [
        {"source": "<b>a.md", "report": report(notes=[["a.md", "a page has <i>no text"]])},
        {"source": "b.md", "report": report(changed=1)},
        {"source": "c.md", "report": report(unchanged=1)},
        {"source": "d.exe", "problem": "d.exe: .exe is not supported", "status": 422},
    ]
    page = ingested({"chosen": 4, "results": results}, dry=False)
    assert "Documents: 1 new, 1 changed, 1 unchanged, 1 not read." in page
    assert "<td>&lt;b&gt;a.md</td><td>new</td><td>2</td><td>3</td>" in page
    assert "a page has &lt;i&gt;no text" in page
    assert "<td>d.exe</td><td>not read: d.exe: .exe is not supported</td><td></td>" in page
    assert "Nothing was stored. It would be: 1 new," in ingested({"chosen": 4, "results": results}, dry=True)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({"chosen": 0, "results": []}, "choose files first"),
        ({"chosen": 1001}, "at most 1000"),
        ({"chosen": 3}, "wait"),
    ],
)
def test_what_was_not_sent_is_said(sent: dict[str, Any], reason: str) -> None:
    with pytest.raises(gr.Error, match=reason):
        ingested(sent, dry=False)


def test_a_removal_that_found_nothing_of_the_callers_does_not_claim_to_have_removed_it() -> None:
    assert "a.md is removed: 3 passages and 4 facts." in removal("a.md", [{"passages": 3, "facts": 4}])
    assert "Nothing was removed: a.md is shared" in removal("a.md", [{"passages": 0, "facts": 0}])


@pytest.mark.services
async def test_files_and_a_folder_are_added_with_a_report_removed_and_saved(
    browse: Browse, runtime: Runtime, tmp_path: Path
) -> None:
    admin = (await key_maker(runtime)("olga", "admin"))["x-api-key"]
    folder = tmp_path / "notes"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "config.txt").write_text("The hidden kettle is a secret.")
    (folder / "valves.md").write_text("The Zorble valve closes at nine bar.")
    (tmp_path / "kettle.md").write_text(KETTLE)
    (tmp_path / "tool.exe").write_bytes(b"MZ\x00\x01")
    (tmp_path / "triples.csv").write_text("an oriole,is a,bird\n")
    async with browse() as console:
        page = console.page
        await console.use_key(admin)
        await console.open_tab("Memory")
        add = page.get_by_role("button", name="Add the documents")
        await add.click()
        await page.get_by_text("choose files first").wait_for()
        files = page.get_by_label("Files", exact=True)
        await files.set_input_files([tmp_path / "kettle.md", tmp_path / "tool.exe"])
        await page.get_by_label("A folder, with all below it").set_input_files(folder)
        await page.get_by_label("Only read and compare, store nothing").check()
        await add.click()
        await page.get_by_text("Nothing was stored. It would be: 2 new, 1 not read.").wait_for()
        await page.get_by_label("Only read and compare, store nothing").uncheck()
        await page.get_by_label("Add to the domain").fill("No Domain")
        await add.click()
        await page.get_by_text("Documents: 3 not read.").wait_for()
        assert "domain" in await page.locator("#added").inner_text()
        await page.get_by_label("Add to the domain").fill("kitchen")
        await add.click()  # the files are still chosen
        await page.get_by_text("Documents: 2 new, 1 not read.").wait_for()
        report = page.get_by_role("region", name="Files that were sent")
        await report.get_by_text("notes/valves.md").wait_for()
        await report.get_by_text("tool.exe: .exe is not supported").wait_for()
        assert "hidden" not in await report.inner_text()

        await files.set_input_files(tmp_path / "triples.csv")
        await page.get_by_label("A folder, with all below it").evaluate("input => { input.value = ''; }")
        await page.get_by_label("Tables are triples").check()
        await add.click()
        await page.get_by_text("Documents: 1 new.").wait_for()
        assert await files.evaluate("input => input.files.length") == 0

        await page.get_by_label("Document (4)").click()
        await page.get_by_role("option", name="kettle.md").click()
        await page.get_by_role("region", name="Facts").get_by_text("vessel").first.wait_for()
        await page.get_by_role("button", name="Remove the document").click()
        await page.get_by_text("Remove kettle.md from kitchen?").wait_for()
        await page.get_by_role("button", name="No, it stays").click()
        await page.get_by_text("Remove kettle.md from kitchen?").wait_for(state="hidden")
        await page.get_by_role("button", name="Remove the document").click()
        await page.get_by_role("button", name="Yes, remove it").click()
        await page.get_by_text("kettle.md is removed: 1 passage").wait_for()
        await page.get_by_label("Document (3)").wait_for()

        async with page.expect_download() as started:
            await page.get_by_role("button", name="Save all documents as a file").click()
        saved = await started.value
        assert saved.suggested_filename == "documents.jsonl"
        lines = (await saved.path()).read_text()
        assert "Zorble valve" in lines
        assert "kettle" not in lines
        assert console.dialogs == []


@pytest.mark.services
async def test_a_learner_removes_nothing_shared_and_saves_no_library(
    browse: Browse, runtime: Runtime
) -> None:
    learner = (await key_maker(runtime)("ada", "learn"))["x-api-key"]
    async with browse(size=NARROW, scheme="dark") as console:
        page = console.page
        await console.use_key(learner)
        await console.open_tab("Memory")
        await page.get_by_role("button", name="Refresh the documents").click()
        await page.get_by_label("Document (1)").click()
        await page.get_by_role("option", name="rust.md").click()
        await page.get_by_role("button", name="Remove the document").click()
        await page.get_by_role("button", name="Yes, remove it").click()
        await page.get_by_text("Nothing was removed: rust.md is shared, or another owner's.").wait_for()
        assert not await page.get_by_role("button", name="Save all documents as a file").is_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]

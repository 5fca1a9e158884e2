"""The other pages in a browser: runs, memory, gaps, adapters, nights and health, and who sees them."""

import httpx
import pytest

from graphs.state import Runtime
from tests.api.conftest import asking
from tests.api.console.conftest import NARROW, Browse
from tests.support.keys import key_maker

pytestmark = pytest.mark.services


async def test_a_run_is_started_followed_approved_and_read(browse: Browse) -> None:
    async with browse() as console:
        page = console.page
        await console.open_tab("Learn runs")
        await page.get_by_label("What to learn").fill("ownership")
        await page.get_by_label("A person approves").check()
        await page.get_by_role("button", name="Start a learn run").click()
        await page.get_by_text("It waits for approval: read what it wants to teach, and decide.").wait_for()
        assert await page.locator("#steps").get_by_text("critique").count()
        assert "none disputed" in await page.locator("#details").inner_text()
        await page.get_by_role("region", name="pairs about").get_by_text("rust.md").first.wait_for()
        await page.get_by_role("button", name="Approve", exact=True).click()
        await page.locator("#details").get_by_text("and now serves rust").wait_for()
        await page.get_by_role("region", name="Before and after", exact=True).wait_for()

        await console.open_tab("Adapters")
        await page.get_by_role("cell", name="live", exact=True).wait_for()
        await page.get_by_label("Domain", exact=True).last.click()
        await page.get_by_role("option", name="rust", exact=True).click()
        await page.get_by_role("button", name="Roll the domain back").click()
        await page.get_by_text("rust is now served by the base model").wait_for()

        await console.open_tab("Health")
        await page.get_by_text("The service is ready.").wait_for()
        await page.get_by_role("button", name="Show the audit log").click()
        await page.get_by_role("region", name="Audit log").get_by_text("adapter.rollback").wait_for()


async def test_gaps_memory_and_nights_on_a_narrow_dark_screen(browse: Browse) -> None:
    async with browse(size=NARROW, scheme="dark") as console:
        page = console.page
        await console.ask("What is a quoll?")
        await console.open_tab("Learn runs")
        await console.open_tab("Memory")
        await page.get_by_label("Search for").fill("What does a borrow prevent?")
        await page.get_by_role("button", name="Search", exact=True).click()
        await page.get_by_role("region", name="Found").get_by_text("words 1.00").wait_for()
        await page.get_by_role("button", name="Refresh the documents").click()
        await page.get_by_label("Document (1)").click()
        await page.get_by_role("option", name="rust.md").click()
        await page.get_by_role("region", name="Facts").get_by_text("data races").first.wait_for()
        assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]


async def test_a_learner_merges_and_dismisses_gaps_and_sees_no_page_of_admins(
    browse: Browse, runtime: Runtime
) -> None:
    learner = await key_maker(runtime)("ada", "learn")
    async with browse() as console:
        page = console.page
        await console.use_key(learner["x-api-key"])
        await page.get_by_text("You are ada. You may: chat, annotate, learn.").wait_for()
        shown = await page.get_by_role("tab").all_text_contents()
        assert [name.strip() for name in shown] == [
            "Chat", "Learn runs", "Time travel", "Memory", "Gaps", "Annotation", "Nights", "Health"
        ]  # fmt: skip
        async with httpx.AsyncClient(base_url=console.url, headers=learner) as client:
            for question in ("What is a quoll?", "What is a numbat?", "What is a numbat?"):
                (await client.post("/v1/chat/completions", json=asking(question))).raise_for_status()
        await console.open_tab("Gaps")
        await page.get_by_role("cell", name="What is a quoll?").wait_for()
        await page.get_by_label("Gap", exact=True).click()
        await page.get_by_role("option", name="What is a quoll?").click()
        await page.get_by_role("button", name="Merge", exact=True).click()
        await page.get_by_text("choose the gap that stays").wait_for()
        await page.get_by_label("Merge it into").click()
        await page.get_by_role("option", name="What is a numbat?").click()
        await page.get_by_role("button", name="Merge", exact=True).click()
        await page.get_by_text("is merged into").wait_for()
        await page.get_by_role("row", name="What is a numbat? general 3").wait_for()
        await page.get_by_label("Gap", exact=True).click()
        await page.get_by_role("option", name="What is a numbat?").click()
        await page.get_by_role("button", name="Dismiss").click()
        await page.get_by_text("is dismissed.").wait_for()
        await page.get_by_text("Gaps: none yet.").wait_for()
        await console.open_tab("Nights")
        await page.get_by_role("button", name="Start a night").click()
        await page.get_by_text("it waits until the service is quiet").wait_for()
        await console.open_tab("Health")
        await page.get_by_role("region", name="Parts").wait_for()
        assert not await page.get_by_role("button", name="Show the audit log").is_visible()

"""The curriculum of a waiting run in a browser: drop and edit questions, and see what came of it."""

import pytest
from playwright.async_api import expect

from tests.api.console.conftest import Browse
from tests.api.console.test_time_travel import choose

pytestmark = pytest.mark.services


async def test_questions_are_dropped_and_edited_before_the_approval(browse: Browse) -> None:
    async with browse() as console:
        page = console.page
        await console.open_tab("Learn runs")
        await page.get_by_label("What to learn").fill("ownership")
        await page.get_by_label("A person approves").check()
        await page.get_by_role("button", name="Start a learn run").click()
        await page.get_by_role("region", name="facts: all of them").wait_for()
        drawn = page.locator("#steps svg")
        await drawn.get_by_text("✓ verify").wait_for()
        await drawn.get_by_text("● approve").wait_for()

        await page.get_by_role("button", name="Drop or edit questions").click()
        await choose(console, "Facts to drop", "data races")
        await page.keyboard.press("Escape")
        await choose(console, "Question to edit", "What is a move? -> a transfer")
        new = page.get_by_label("New question")
        await expect(new).to_have_value("What is a move?", timeout=60_000)  # else it would replace ours
        await new.fill("What is a move in <b>Rust</b>?")
        await page.get_by_role("button", name="Note this edit").click()
        await page.locator("#noted").get_by_text("What is a move in <b>Rust</b>?").wait_for()
        await page.get_by_role("button", name="Verify again with these changes").click()
        changed = page.get_by_role("region", name="Changed since it was asked about before")
        await changed.get_by_text("What is a move in <b>Rust</b>?").first.wait_for()
        assert "data races" in await changed.inner_text()

        await page.get_by_role("button", name="Approve", exact=True).click()
        await page.locator("#details").get_by_text("and now serves rust").wait_for()
        await page.get_by_role("region", name="Before and after, as bars").wait_for()
        await drawn.get_by_text("✓ report").wait_for()


async def test_a_model_that_cannot_drive_an_exploration_is_refused_with_the_reason(browse: Browse) -> None:
    async with browse() as console:
        page = console.page
        await console.open_tab("Learn runs")
        await page.get_by_label("What to learn").fill("ownership")
        await page.get_by_label("The model decides what is looked up").check()
        await page.get_by_role("button", name="Start a learn run").click()
        await page.get_by_text("was never asked to explore by tool calls").wait_for()

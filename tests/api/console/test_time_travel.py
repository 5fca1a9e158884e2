"""Time travel in a browser: a run's checkpoints, a state, a replay, and a fork of allowed values alone."""

import pytest

from tests.api.console.conftest import Browse, Browsed

pytestmark = pytest.mark.services


async def choose(console: Browsed, label: str, option: str) -> None:
    """Chooses the first option of a list that has these words."""
    await console.page.get_by_label(label, exact=True).click()
    await console.page.get_by_role("option", name=option).first.click()


async def test_a_run_is_looked_through_replayed_and_forked(browse: Browse) -> None:
    async with browse() as console:
        page = console.page
        await console.open_tab("Learn runs")
        await page.get_by_label("What to learn").fill("<i>ownership</i>")
        await page.get_by_role("button", name="Start a learn run").click()
        await page.locator("#details").get_by_text("and now serves rust").wait_for()

        await console.open_tab("Time travel")
        await choose(console, "Run or thread", "ownership")
        await page.get_by_role("region", name="Checkpoints").get_by_text("critique").first.wait_for()
        await choose(console, "Checkpoint", "after critique, next: curriculum")
        changes = page.get_by_role("region", name="Changes")
        await changes.get_by_role("cell", name="critique", exact=True).wait_for()
        await page.get_by_role("button", name="Replay from here").click()
        await page.get_by_text("It ended in the same state.").wait_for()
        await page.locator("#timeline svg").get_by_text("branch ").wait_for()

        await page.get_by_label("Values to change").click()
        offered = await page.get_by_role("option").all_text_contents()
        assert "findings" in " ".join(offered)
        assert "approval" not in [name.strip(" ✓") for name in offered]  # nobody writes an approval
        await page.get_by_role("option", name="subject").click()
        values = page.get_by_label("The new values, as JSON")
        await page.wait_for_function(
            "() => [...document.querySelectorAll('textarea')].some(e => /ownership/.test(e.value))"
        )
        await page.keyboard.press("Escape")
        await values.fill('{"subject": ')
        await page.get_by_role("button", name="Fork with these values").click()
        await page.get_by_text("the new values are no JSON").wait_for()
        await values.fill('{"outcome": null}')
        await page.get_by_role("button", name="Fork with these values").click()
        await page.get_by_text("outcome cannot be changed: clients may change").wait_for()
        await values.fill('{"subject": "borrow checker"}')
        await page.get_by_role("button", name="Fork with these values").click()
        differing = page.get_by_role("region", name="What differs at the end")
        await differing.get_by_text("borrow checker").first.wait_for()
        await page.get_by_role("region", name="Branches on threads of their own").wait_for()
        assert console.dialogs == []
        assert await page.locator("#timeline i, #state i").count() == 0

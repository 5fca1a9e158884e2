"""Schedules on the page of nights: made, changed, paused, resumed and ended in a browser."""

import httpx
import pytest

from tests.api.console.conftest import NARROW, Browse

pytest.importorskip("gradio", reason="the extra `console` is not installed")

from api.console.schedules import options, schedules

PATH = "/v1/nights/schedule"


def test_a_schedule_keeps_the_options_that_were_set_elsewhere() -> None:
    before = {"train": True, "preferences": True, "attempts": 2}
    assert options(before, trains=True) == before
    assert options(before, trains=False) == {"train": False, "preferences": True, "attempts": 2}
    without_preferences = {"train": False, "preferences": False}
    assert options(without_preferences, trains=True) == {"train": True, "preferences": False}
    assert options(None, trains=True) == {"train": True}


def test_a_paused_schedule_says_why() -> None:
    shown = {"domain": "rust", "at": "02:00", "timezone": "UTC", "options": {"train": False}}
    paused = shown | {"next_start": None, "disabled_reason": "the key was <b>revoked"}
    page = schedules([paused])
    assert "<td>paused: the key was &lt;b&gt;revoked</td><td>does not train</td>" in page
    assert "<td>paused</td>" in schedules([paused | {"disabled_reason": None}])


@pytest.mark.services
async def test_nights_are_scheduled_changed_paused_and_ended(browse: Browse) -> None:
    async with browse(size=NARROW, scheme="dark") as console:
        page = console.page
        async with httpx.AsyncClient(base_url=console.url) as client:
            body = {"domain": "rust", "at": "04:00", "options": {"attempts": 2}}
            (await client.put(PATH, json=body)).raise_for_status()

            await console.open_tab("Nights")
            listed = page.get_by_role("region", name="Scheduled nights")
            await listed.get_by_text("04:00 UTC").wait_for()
            time = page.get_by_label("Time of day")
            await time.fill("25:00")
            await page.get_by_role("button", name="Save the schedule").click()
            await page.get_by_text("at: ").first.wait_for()
            assert await time.input_value() == "25:00"
            await time.fill("02:30")
            await page.get_by_label("Time zone").fill("Europe/Berlin")
            await page.get_by_role("button", name="Save the schedule").click()
            await page.get_by_text("Nights of general start at 02:30 Europe/Berlin, next on").wait_for()

            await page.get_by_label("Schedule", exact=True).click()
            await page.get_by_role("option", name="rust").click()
            await page.wait_for_function(
                "[...document.querySelectorAll('input,textarea')].some(e => e.value == '04:00')"
            )
            await page.get_by_label("These nights train and deploy").uncheck()
            await page.get_by_role("button", name="Save the schedule").click()
            await page.get_by_text("Nights of rust start at 04:00 UTC").wait_for()
            changed = {each["domain"]: each["options"] for each in (await client.get(PATH)).json()}["rust"]
            assert (changed["attempts"], changed["train"]) == (2, False)

            await page.get_by_role("button", name="Pause it").click()
            await listed.get_by_text("paused").wait_for()
            await page.get_by_role("button", name="Resume it").click()
            await listed.get_by_text("paused").wait_for(state="detached")
            await page.get_by_role("button", name="End it").click()
            await page.get_by_text("Nights of rust are no longer scheduled").wait_for()
            assert [each["domain"] for each in (await client.get(PATH)).json()] == ["general"]
        assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]

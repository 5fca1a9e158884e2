"""Facts and the past on the page of memory, in a browser, from documents that were really read."""

import httpx
import pytest

from tests.api.console.conftest import Browse
from tests.support.two_views import BOTANY, COOKING

pytestmark = pytest.mark.services


async def test_facts_are_drawn_contradictions_listed_and_the_past_searched(browse: Browse) -> None:
    async with browse() as console:
        page = console.page
        async with httpx.AsyncClient(base_url=console.url, timeout=120) as client:
            for source, year in (("old<b>.md", 1962), ("new.md", 1971)):
                text = (
                    f"# Kettle\n\nThe brass kettle was built in {year}. The brass kettle is a vessel."
                    " The Deep Harbour Survey (DHS) owns it."
                )
                reply = await client.post(
                    "/v1/documents",
                    params={"source": source},
                    content=text.encode(),
                    headers={"content-type": "text/markdown"},
                )
                assert reply.is_success, reply.text

        await console.open_tab("Memory")
        await page.get_by_label("Facts about").fill("the brass kettle")
        await page.get_by_role("button", name="Draw its facts").click()
        await page.locator("#neighbourhood svg").get_by_text("vessel").first.wait_for()
        await page.get_by_role("region", name="Facts about it").get_by_text("old<b>.md").first.wait_for()
        await page.get_by_role("button", name="Show contradicting facts").click()
        conflicts = page.get_by_role("region", name="Contradicting facts")
        await conflicts.get_by_text("built in 1962").wait_for()
        assert "built in 1971" in await conflicts.inner_text()
        await page.get_by_label("The sentence that is wrong").click()
        await page.get_by_role("option", name="built in 1962").click()
        await page.get_by_label("Why", exact=True).fill("a misprint")
        await page.get_by_role("button", name="Withdraw this sentence").click()
        await page.get_by_text("is withdrawn from old<b>.md").wait_for()
        await page.locator("#conflicts").get_by_text("0 in all").wait_for()
        await page.get_by_role("button", name="Show stale facts").click()
        await page.get_by_text("ingest a newer document under the same name").wait_for()

        await page.get_by_role("button", name="Show names of one thing").click()
        same = page.get_by_role("region", name="Names of one thing")
        await same.get_by_text("Deep Harbour Survey = DHS").wait_for()

        await page.get_by_label("Search for").fill("brass kettle")
        await page.get_by_label("As of").fill("yesterday")
        await page.get_by_role("button", name="Search", exact=True).click()
        await page.get_by_text("As of: write a date such as").wait_for()
        await page.get_by_label("As of").fill("2001-02-03")
        await page.get_by_role("button", name="Search", exact=True).click()
        hits = page.locator("#hits")
        await hits.get_by_text("rust.md").wait_for()  # it has no time, and so was always there
        assert "kettle" not in await hits.inner_text()
        assert console.dialogs == []


async def test_perspectives_are_suggested_declared_and_weighed(browse: Browse) -> None:
    async with browse() as console:
        page = console.page
        async with httpx.AsyncClient(base_url=console.url, timeout=120) as client:
            for source, text in (("botany<b>.md", BOTANY), ("cooking.md", COOKING)):
                reply = await client.post(
                    "/v1/documents",
                    params={"source": source},
                    content=text.encode(),
                    headers={"content-type": "text/markdown"},
                )
                assert reply.is_success, reply.text
        await console.open_tab("Memory")
        await page.get_by_role("button", name="Suggest perspectives").click()
        camps = page.get_by_role("region", name="Documents that contradict each other")
        await camps.get_by_text("A tomato is a fruit.").wait_for()
        await page.get_by_role("button", name="Show perspectives").click()
        for source, name in (("botany<b>.md", "botany"), ("cooking.md", "cookery")):
            await page.get_by_label("Documents that speak from it").click()
            await page.get_by_role("option", name=source).click()
            await page.keyboard.press("Escape")
            await page.get_by_label("Name of the perspective").fill(name)
            await page.get_by_role("button", name="Declare this perspective").click()
            await page.get_by_role("region", name="Perspectives").get_by_text(name).wait_for()
        await page.get_by_label("Weight").fill("2.5")
        await page.get_by_role("button", name="Weigh this perspective").click()
        await page.get_by_role("region", name="Perspectives").get_by_text("2.5").wait_for()
        await page.get_by_role("button", name="Show contradicting facts").click()
        conflicts = page.get_by_role("region", name="Contradicting facts")
        await conflicts.get_by_text("cookery holds this, botany the other").first.wait_for()
        assert console.dialogs == []

"""The page of adapters in a browser: its lineage and figures are drawn, and a lesson is forgotten."""

from dataclasses import replace

import pytest

from agent.chat.routing import Routes
from agent.engines.scripted import ScriptedEngine
from graphs.state import Runtime
from tests.api.console.conftest import NARROW, Browse
from tests.graphs.conftest import BASE_LINES
from tests.graphs.test_forget import BAD, DOMAIN, LIVE, OLD, RETAUGHT, SONG, lived, published

pytestmark = pytest.mark.services


async def test_the_lineage_is_drawn_and_a_lesson_forgotten(browse: Browse, runtime: Runtime) -> None:
    registry = lived()
    forgetful = replace(
        runtime,
        registry=registry,
        routes=Routes(registry, lambda digest: BAD),
        outbox=await published(),
        engine=ScriptedEngine(BASE_LINES, adapters={each.name: SONG for each in (OLD, LIVE, RETAUGHT)}),
    )
    async with browse(forgetful, size=NARROW) as console:
        page = console.page
        await console.open_tab("Adapters")
        tree = page.get_by_role("img", name=f"Lineage of {DOMAIN}")
        assert f"{LIVE.name} (live) from" in await tree.get_attribute("aria-label")
        assert await page.get_by_role("img", name=f"{DOMAIN}, calibration error, as stated").count() == 1
        assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]
        await page.get_by_role("button", name="Forget the lesson").click()
        await page.get_by_text("choose an adapter and one of its lessons first").wait_for()
        await page.get_by_label("Adapter", exact=True).click()
        await page.get_by_role("option", name=LIVE.name).click()
        await page.get_by_role("region", name="Thresholds").wait_for()
        await page.get_by_label("Lesson of the adapter").click()
        await page.get_by_role("option", name=BAD.digest).click()
        await page.get_by_label("Why it is forgotten").fill("the sensor was broken")
        await page.get_by_role("button", name="Forget the lesson").click()
        await page.get_by_text(f"makes {DOMAIN} forget the lesson {BAD.digest[:8]}").wait_for()

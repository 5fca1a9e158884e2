"""The annotation page in a browser: a batch is drawn and judged by keyboard alone, and shown as text."""

from dataclasses import replace

import httpx
import pytest

from agent.engines.scripted import Line
from graphs.state import Runtime
from tests.api.conftest import asking
from tests.api.console.conftest import NARROW, Browse
from tests.graphs.conftest import BASE_LINES
from tests.support.engines import VaryingEngine
from tests.support.keys import key_maker

pytestmark = pytest.mark.services

QUESTIONS = [f"What is a {name}?" for name in ("lemur", "glacier", "sonnet", "turbine")]
SCRIPT = "<img src=x onerror=alert(1)>"


@pytest.fixture
def engine() -> VaryingEngine:
    lines = {each: Line(text=f"{SCRIPT} about {each[10:-1]}s", entropy=0.1) for each in QUESTIONS}
    return VaryingEngine(BASE_LINES | lines)


async def ask_all(url: str, headers: dict[str, str] | None = None) -> None:
    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        for question in QUESTIONS:
            (await client.post("/v1/chat/completions", json=asking(question))).raise_for_status()


async def test_a_batch_is_drawn_and_judged_by_keyboard_alone(
    browse: Browse, runtime: Runtime, engine: VaryingEngine
) -> None:
    async with browse(replace(runtime, engine=engine)) as console:
        page = console.page
        await ask_all(console.url)
        await console.open_tab("Annotation")
        await page.get_by_label("Name of the batch").fill("monday")
        await page.get_by_role("button", name="Draw a batch").click()
        await page.get_by_text("4 items were added to monday").wait_for()

        await page.locator("#drawn").click()  # so that no field has the focus
        await page.keyboard.press("n")
        await page.get_by_role("region", name="Answer A").wait_for()
        assert await page.get_by_role("region", name="Answer B").is_visible()
        assert await page.locator("img[src=x]").count() == 0
        await page.keyboard.press("c")
        await page.keyboard.type("a b, as a comment")
        assert await page.get_by_label("Why (C)").input_value() == "a b, as a comment"
        await page.keyboard.press("Escape")
        await page.keyboard.press("r")
        await page.keyboard.type("a better answer")
        await page.keyboard.press("Escape")
        await page.keyboard.press("b")
        await page.get_by_text("Stored: B is better.").wait_for()
        await page.get_by_text("You judged 1 and skipped 0; 3 are left for you.").wait_for()
        assert await page.get_by_label("Why (C)").input_value() == ""
        await page.keyboard.press("s")
        await page.get_by_text("You judged 1 and skipped 1; 2 are left for you.").wait_for()
        await page.keyboard.press("q")
        await page.get_by_text("The item is given back.").wait_for()
        await page.keyboard.press("n")
        await page.get_by_role("region", name="Answer A").wait_for()
        await page.keyboard.press("g")
        await page.get_by_text("Stored: Both are good.").wait_for()
        await page.keyboard.press("x")
        await page.get_by_text("Nothing is left for you to judge.").wait_for()

        await page.get_by_role("button", name="Show progress and agreement").click()
        await page.get_by_role("region", name="Annotators").get_by_text("operator").wait_for()
        assert (
            "undefined: it needs items that two people judged"
            in await page.locator("#agreement").inner_text()
        )
        _, judged, *_ = await runtime.annotations.judgements()
        comments = {each.comment: each.rewrite for each in await runtime.annotations.judgements()}
        assert comments["a b, as a comment"] == "a better answer"
        assert judged.seconds is not None
        assert console.dialogs == []


async def test_an_annotator_uses_buttons_on_a_narrow_screen_and_sees_no_batches(
    browse: Browse, runtime: Runtime, engine: VaryingEngine
) -> None:
    admin, ada = [await key_maker(runtime)(*each) for each in (("root", "admin"), ("ada", "annotate"))]
    async with browse(replace(runtime, engine=engine), size=NARROW, scheme="dark") as console:
        page = console.page
        await ask_all(console.url, admin)
        async with httpx.AsyncClient(base_url=console.url, headers=admin) as client:
            (await client.post("/v1/annotation/sample", json={"batch": "monday"})).raise_for_status()
        await console.use_key(ada["x-api-key"])
        await page.get_by_text("You are ada. You may: chat, annotate.").wait_for()
        await console.open_tab("Annotation")
        await page.get_by_text("4 are left for you.").wait_for()
        assert not await page.get_by_role("button", name="Draw a batch").is_visible()
        assert not await page.get_by_label("Annotate as").is_visible()
        await page.get_by_label("Single keys press the buttons").uncheck()
        await page.keyboard.press("n")
        await page.get_by_role("button", name="Next item (N)").click()
        await page.get_by_role("region", name="Answer A").wait_for()
        assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]
        await page.keyboard.press("a")
        await page.get_by_role("button", name="A is better (A)").click()
        await page.get_by_text("You judged 1 and skipped 0; 3 are left for you.").wait_for()
        [judged] = await runtime.annotations.judgements()
        assert (judged.annotator, judged.choice) == ("ada", "a")


async def test_an_admin_makes_an_item_gold(browse: Browse, runtime: Runtime, engine: VaryingEngine) -> None:
    async with browse(replace(runtime, engine=engine)) as console:
        page = console.page
        await ask_all(console.url)
        async with httpx.AsyncClient(base_url=console.url) as client:
            (await client.post("/v1/annotation/sample", json={"batch": "monday"})).raise_for_status()
        await console.open_tab("Annotation")
        await page.get_by_role("button", name="Make it a gold item").click()
        await page.get_by_text("choose one first").wait_for()
        await page.get_by_role("button", name="List the open items").click()
        await page.get_by_label("Item whose right choice you know").click()
        await page.get_by_role("option", name="What is a sonnet?").click()
        await page.locator("#gold-item").get_by_role("region", name="Answer A").wait_for()
        await page.get_by_label("B is better", exact=True).check()
        await page.get_by_role("button", name="Make it a gold item").click()
        await page.get_by_text("Every annotator gets this item.").wait_for()
        golden = [each for each in await runtime.annotations.list(status="open") if each.gold]
        assert [(each.messages[-1].content, each.gold) for each in golden] == [("What is a sonnet?", "b")]

"""The chat page in a browser: answers, gate, sources, feedback, roles, and nothing from elsewhere."""

from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from agent.engines.scripted import Line, ScriptedEngine
from graphs.state import Runtime
from tests.api.console.conftest import NARROW, Browse, Browsed
from tests.graphs.conftest import BASE_LINES
from tests.support.facts import passage
from tests.support.keys import key_maker

pytestmark = pytest.mark.services

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>${alert(4)}{{alert(5)}}"
TITLE = "<img src=x onerror=alert(3)>"


def hosts(console: Browsed) -> set[str]:
    """Where the browser sent requests to."""
    return {urlsplit(url).netloc for url in console.requests if not url.startswith(("data:", "blob:"))}


async def test_an_answer_is_shown_with_its_gate_and_sources_and_takes_feedback(
    browse: Browse, runtime: Runtime
) -> None:
    async with browse() as console:
        page = console.page
        await console.ask("What is a lemur?")
        await page.get_by_text("a small primate").first.wait_for()
        await page.get_by_text("The model was confident of its own answer: 99% likely right").wait_for()
        await page.get_by_role("button", name="Show how unsure it was of each token").click()
        tokens = page.get_by_role("group", name="Answer", exact=True)
        assert (await tokens.inner_text()).strip() == "a small primate"
        await page.get_by_role("group", name="Legend").get_by_text("much doubt").wait_for()
        await page.get_by_role("button", name="Thumbs up").click()
        await page.get_by_text("Stored: vote.").wait_for()

        await page.get_by_label("Question").fill("What does a borrow prevent?")
        await page.keyboard.press("Enter")
        await page.get_by_text("the answer comes from the sources below").wait_for()
        await page.get_by_role("radio", name="1. “The borrow checker").check()
        sentence = await page.locator("#document mark").text_content()
        assert sentence == "The borrow checker prevents data races at compile time."
        await page.get_by_role("button", name="Teach me this").click()
        await page.get_by_text("was started: follow it under Learn runs").wait_for()

        await page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
        assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]
        unnamed = (
            "e => e.filter(i => i.offsetParent && !i.labels?.length && !i.ariaLabel).map(i => i.outerHTML)"
        )
        assert await page.locator("input, textarea, select").evaluate_all(unnamed) == []
        assert hosts(console) == {urlsplit(console.url).netloc}


async def test_markup_in_answers_and_documents_is_shown_as_text(browse: Browse, runtime: Runtime) -> None:
    lines = {**BASE_LINES, "What is a script?": Line(text=SCRIPT, entropy=0.1)}
    await runtime.episodic.add([passage("A zorble is a small lamp.", source="z.md", title=TITLE)])
    async with browse(replace(runtime, engine=ScriptedEngine(lines))) as console:
        page = console.page
        await console.ask("What is a script?")
        await page.get_by_text(SCRIPT).first.wait_for()
        await page.get_by_label("Question").fill("What is a zorble?")
        await page.keyboard.press("Enter")
        await page.get_by_role("radio", name="1. “A zorble").check()
        await page.locator("#document").get_by_text(TITLE).first.wait_for()
        await page.get_by_label("Who answers").fill(TITLE)
        await page.get_by_label("Question").fill("What is a lemur?")
        await page.keyboard.press("Enter")
        await page.get_by_text("onerror=alert(3)").last.wait_for()
        assert await page.locator("img[src=x]").count() == 0
        assert console.dialogs == []
        assert hosts(console) == {urlsplit(console.url).netloc}


async def test_a_chat_key_sees_what_it_may_do_and_no_more(browse: Browse, runtime: Runtime) -> None:
    chat = (await key_maker(runtime)("ada", "chat"))["x-api-key"]
    async with browse() as console:
        page = console.page
        await console.use_key("nsk_wrong")
        await page.get_by_text("the key is unknown or was revoked").wait_for()
        assert await page.get_by_role("tab").count() == 0
        await console.use_key(chat)
        await page.get_by_text("You are ada. You may: chat.").wait_for()
        shown = await page.get_by_role("tab").all_text_contents()
        assert [name.strip() for name in shown] == ["Chat", "Time travel", "Memory", "Health"]
        await console.ask("What does a borrow prevent?")
        assert not await page.get_by_role("button", name="Teach me this").is_visible()

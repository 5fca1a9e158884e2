"""Forgetting on the page of memory: after a question, and what its reply says."""

import pytest

from agent.feedback.pseudonyms import pseudonym
from graphs.state import Runtime
from tests.api.console.conftest import NARROW, Browse
from tests.support.interactions import interaction
from tests.support.keys import key_maker

pytest.importorskip("gradio", reason="the extra `console` is not installed")

from api.console.forgetting import forgotten


def test_what_was_forgotten_is_counted_and_adapters_that_keep_it_are_named() -> None:
    taught = [{"adapter": "rust-v1", "command": "nightschool adapters forget rust 9be04c51"}]
    page = forgotten("<b>ann", {"counts": {"turns": 2, "threads": 1}, "taught": taught})
    assert "Forgotten of &lt;b&gt;ann: turns: 2, threads: 1." in page
    assert "rust-v1 was taught from it: nightschool adapters forget rust 9be04c51" in page
    nothing = forgotten("ann", {"counts": {}, "taught": []})
    assert "Nothing of ann was left to forget" in nothing
    assert "Adapters" not in nothing


@pytest.mark.services
async def test_a_user_is_forgotten_after_a_question_and_no_other(browse: Browse, runtime: Runtime) -> None:
    key = (await key_maker(runtime)("ada", "chat"))["x-api-key"]
    for user in ("ann", "ben"):
        unit = pseudonym(user, runtime.pseudonym_key)
        await runtime.interactions.save(interaction(f"i-{user}", unit=unit, owner="ada", citations=()))
    async with browse(size=NARROW, scheme="dark") as console:
        page = console.page
        await console.use_key(key)
        await console.open_tab("Memory")
        await page.get_by_role("button", name="Forget for good").click()
        forget = page.get_by_role("button", name="Forget it", exact=True)
        await forget.click()
        await page.get_by_text("name what to forget first").wait_for()
        name = page.get_by_label("Its name or id")
        await name.fill("ben")
        await forget.click()
        question = page.get_by_text("Forget a user, ben, for good?")
        await question.wait_for()
        await name.fill("ann")  # the question was about another one
        await question.wait_for(state="hidden")
        await forget.click()
        await page.get_by_text("Forget a user, ann, for good?").wait_for()
        await page.get_by_role("button", name="Yes, forget it for good").click()
        await page.get_by_text("Forgotten of ann: turns: 1.").wait_for()
        assert [turn.id for turn in await runtime.interactions.list()] == ["i-ben"]
        await page.get_by_label("a document", exact=True).check()
        await name.fill("rust.md")
        await forget.click()
        await page.get_by_role("button", name="Yes, forget it for good").click()
        await page.get_by_text("this needs a key with scope learn").wait_for()
        assert await name.input_value() == "rust.md"
        assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]

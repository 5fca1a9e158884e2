"""What nights leave to people: shown with all that a decision needs, and decided on in a browser."""

import pytest

from graphs.state import Runtime
from tests.api.console.conftest import NARROW, Browse
from tests.api.console.test_time_travel import choose
from tests.support.interactions import interaction
from tests.support.keys import key_maker
from tests.support.nights import golden, night, revision

pytest.importorskip("gradio", reason="the extra `console` is not installed")

from api.console.decisions import to_decide, waiting


def test_a_revision_is_shown_beside_what_it_replaces_with_its_sources() -> None:
    page = to_decide(revision(critique="too <b>vague", answer="A <i>value.").model_dump(mode="json"))
    assert page.index("I do not know.") < page.index("A &lt;i&gt;value.")
    assert "too &lt;b&gt;vague" in page
    assert "2.0 before, 9.0 after" in page
    assert "<mark>" in page


def test_only_a_revision_without_a_source_cannot_be_approved() -> None:
    uncited = revision(citations=(), status="needs_person").model_dump(mode="json")
    assert "cites no source, so it cannot be approved" in to_decide(uncited)
    pair = golden(citations=()).model_dump(mode="json")
    assert "cites no source." in to_decide(pair)


def test_a_pair_that_is_taught_meanwhile_says_so() -> None:
    held, taught = (golden(status=status).model_dump(mode="json") for status in ("waiting", "approved"))
    assert "<td>taught</td>" in waiting([("golden", taught)])
    assert "<td>not used</td>" in waiting([("golden", held)])


@pytest.mark.services
async def test_answers_are_declined_by_learners_and_approved_by_approvers(
    browse: Browse, runtime: Runtime
) -> None:
    made = key_maker(runtime)
    learner, approver = [(await made(owner, owner))["x-api-key"] for owner in ("learn", "approve")]
    await runtime.nights.begin(night())
    await runtime.interactions.save(interaction("i1"))
    await runtime.nights.save_revision(revision(status="needs_person", question="What is <b>A</b>?"))
    await runtime.nights.save_golden([golden(status="waiting", question="What is B?")])
    async with browse(size=NARROW, scheme="dark") as console:
        page = console.page
        approve = page.get_by_role("button", name="Approve this answer")
        await console.use_key(learner)
        await console.open_tab("Nights")
        await page.get_by_role("button", name="Show what waits for a decision").click()
        queue = page.get_by_role("region", name="Waiting for a decision")
        await queue.get_by_text("What is B?").wait_for()
        assert not await approve.is_visible()
        await page.get_by_role("button", name="Decline this answer").click()
        await page.get_by_text("choose an answer first").wait_for()
        await choose(console, "Answer to decide on", "What is B? (golden pair g1)")
        await page.get_by_role("button", name="Decline this answer").click()
        await page.get_by_text("\u201cWhat is B?\u201d is declined.").wait_for()
        assert (await runtime.nights.golden_pair("g1")).status == "declined"

        await page.get_by_role("button", name="Forget this key").click()
        await page.get_by_text("This service asks for an API key.").wait_for()
        await console.use_key(approver)
        await console.open_tab("Nights")
        await page.get_by_role("button", name="Show what waits for a decision").click()
        await choose(console, "Answer to decide on", "What is <b>A</b>? (revised answer r1)")
        await page.locator("#decision").get_by_text("I do not know.").wait_for()
        await approve.click()
        await page.get_by_text("is approved: chat and lessons use its answer").wait_for()
        await page.get_by_text("Waiting for a decision: none yet.").wait_for()
        assert (await runtime.nights.revision("r1")).status == "improved"
        assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]
        assert console.dialogs == []

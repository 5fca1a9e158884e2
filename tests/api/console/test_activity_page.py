"""What the service is doing, from its metrics, and turns that are saved as a file, on the pages."""

import json

import pytest

from graphs.state import Runtime
from tests.api.console.conftest import NARROW, Browse
from tests.support.keys import key_maker

pytest.importorskip("gradio", reason="the extra `console` is not installed")

from api.console.activity import activity

METRICS = """# TYPE nightschool_training_jobs gauge
nightschool_training_jobs{state="waiting"} 2.0
nightschool_training_jobs{state="training"} 0.0
# TYPE nightschool_gaps gauge
nightschool_gaps{status="open"} 0.0
# TYPE nightschool_runs_unfinished gauge
# TYPE nightschool_http_requests counter
nightschool_http_requests_total{method="GET",route="/<b>",status="200"} 1200.0
nightschool_http_requests_total{method="GET",route="/b",status="204"} 34.0
nightschool_http_requests_total{method="GET",route="/b",status="503"} 1.0
# TYPE nightschool_turn_seconds histogram
nightschool_turn_seconds_bucket{outcome="answered",le="+Inf"} 3.0
nightschool_turn_seconds_count{outcome="answered"} 3.0
nightschool_turn_seconds_sum{outcome="answered"} 1.0
nightschool_turn_seconds_bucket{outcome="abstained",le="+Inf"} 1.0
nightschool_turn_seconds_count{outcome="abstained"} 1.0
nightschool_turn_seconds_sum{outcome="abstained"} 5.0
"""


def test_queues_and_counts_are_in_words_and_what_no_store_told_is_left_out() -> None:
    page = activity(METRICS)
    assert "<td>Training jobs</td><td>waiting: 2</td>" in page
    assert "<td>Gaps</td><td>none</td>" in page
    assert "<td>Runs that wait or are worked on</td><td>none</td>" in page
    assert "Passages in the library" not in page
    assert "<td>2xx: 1,234, 5xx: 1</td>" in page
    assert "<td>Mean time of a turn</td><td>1.5 s</td>" in page
    assert "<b>" not in page


def test_a_service_without_a_turn_has_no_mean_time() -> None:
    assert "Mean time of a turn" not in activity("")


@pytest.mark.services
async def test_turns_are_saved_as_a_file_and_admins_see_what_the_service_does(
    browse: Browse, runtime: Runtime
) -> None:
    made = key_maker(runtime)
    chat, admin = [(await made(owner, owner))["x-api-key"] for owner in ("chat", "admin")]
    async with browse(size=NARROW, scheme="dark") as console:
        page = console.page
        await console.use_key(chat)
        await console.ask("What is a lemur?")
        await page.get_by_role("button", name="Logged turns").click()
        await page.get_by_role("button", name="Show the newest turns").click()
        await page.get_by_role("region", name="Turns").get_by_text("What is a lemur?").wait_for()
        save = page.get_by_role("button", name="Save these turns as a file")
        await page.get_by_label("Turns from").fill("yesterday")
        await save.click()
        await page.get_by_text("since").first.wait_for()
        assert await page.get_by_label("Turns from").input_value() == "yesterday"
        await page.get_by_label("Turns from").fill("2001-02-03")
        async with page.expect_download() as started:
            await save.click()
        saved = await started.value
        assert saved.suggested_filename == "interactions.jsonl"
        [turn] = map(json.loads, (await saved.path()).read_text().splitlines())
        assert (turn["question"], turn["feedback"]) == ("What is a lemur?", [])
        await page.get_by_text("Saved as interactions.jsonl.").wait_for()

        await console.open_tab("Health")
        await page.get_by_role("region", name="Parts").wait_for()
        figures = page.get_by_role("button", name="Show what the service is doing")
        assert not await figures.is_visible()
        await page.get_by_role("button", name="Forget this key").click()
        await page.get_by_text("This service asks for an API key.").wait_for()
        await console.use_key(admin)
        await console.open_tab("Health")
        await figures.click()
        counted = page.get_by_role("region", name="Counted since this api process started")
        await counted.get_by_text("Turns", exact=True).wait_for()
        assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]
        assert console.dialogs == []

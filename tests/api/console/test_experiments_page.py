"""Experiments and models in a browser: started, read, checked, stopped; models are added and studied."""

from pathlib import Path

import pytest

from agent.models.card import write_card
from agent.models.store import ModelStore
from api.nightschool import base_models
from graphs.state import Runtime
from memory.records.experiments import CONTROL
from tests.api.console.conftest import NARROW, Browse
from tests.api.nightschool.test_base_models import ARRAYS, added
from tests.support.cards import card
from tests.support.experiments import GENERAL, fill, served
from tests.support.model_task import PROCESS

pytestmark = pytest.mark.services


async def test_an_experiment_is_started_read_checked_and_stopped(browse: Browse, runtime: Runtime) -> None:
    prepared = served(runtime)
    await prepared.routes.refresh()
    assert prepared.experiments is not None
    async with browse(prepared) as console:
        page = console.page
        await console.open_tab("Experiments")
        await page.get_by_text("Experiments: none yet.").wait_for()
        await page.get_by_label("Try this adapter against what is live").click()
        await page.get_by_role("option", name=GENERAL.name).click()
        await page.get_by_label("Name of the experiment").fill("politer <b>")
        await page.get_by_label("Least users of each before any decision").fill("30")
        await page.get_by_role("button", name="Start the experiment").click()
        await page.get_by_text("runs on general.").wait_for()
        await page.get_by_role("region", name="Assignment").get_by_text(GENERAL.name).wait_for()
        [experiment] = await prepared.experiments.store.list()
        assert experiment.name == "politer <b>"

        await fill(prepared, experiment, {CONTROL: 0.1, "variant": 0.9})
        await page.get_by_role("button", name="Check it now").click()
        await page.locator("#figures").get_by_text("The users are divided as they should be").wait_for()
        plot = page.get_by_role("img", name="engagement (implicit score), the goal, difference")
        assert "variant less control: +1." in await plot.get_attribute("aria-label")
        assert await plot.locator("circle.good").count() == 1
        rails = page.get_by_role("img", name="Guardrails:")
        assert "variant, abstention" in await rails.get_attribute("aria-label")
        await page.get_by_role("region", name="Decisions").get_by_text("started").first.wait_for()
        await page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
        assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]

        await page.get_by_role("button", name="Stop the experiment").click()
        await page.get_by_text("say why first").wait_for()
        await page.get_by_label("Why it is stopped").fill("enough")
        await page.get_by_role("button", name="Stop the experiment").click()
        await page.get_by_text("politer <b> is stopped; general is served as before.").wait_for()
        await page.get_by_role("region", name="Decisions").get_by_text("enough").wait_for()


async def test_the_card_of_the_served_model_and_its_gate_are_read(browse: Browse, tmp_path: Path) -> None:
    async with browse(models=tmp_path / "none") as console:
        page = console.page
        await console.open_tab("Models")
        await page.locator("#card").get_by_text("go: it can be taught").wait_for()
        await page.locator("#card").get_by_text("made for a test").first.wait_for()
        await page.get_by_role("region", name="Thresholds").get_by_text("sentence").wait_for()
        assert "Added models: none yet." in await page.locator("#models").inner_text()


async def test_a_model_is_studied_stopped_and_another_added(
    browse: Browse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_models, "PROCESS", PROCESS)
    store = ModelStore(tmp_path / "models")
    added(store, "new")
    write_card(added(store, "old"), card(name="old"), (), (), (), ARRAYS)
    async with browse(models=store.folder) as console:
        page = console.page
        await console.open_tab("Models")
        await page.get_by_role("button", name="Study the model").click()
        await page.get_by_text("choose one of the added models by its name first").wait_for()
        await page.get_by_label("Model", exact=True).click()
        await page.get_by_role("option", name="new", exact=True).click()
        await page.locator("#card").get_by_text("run `nightschool models study new`").wait_for()
        await page.get_by_role("button", name="Study the model").click()
        await page.locator("#model-task").get_by_text("Studying new: asking it").wait_for()
        await page.get_by_role("button", name="Stop it").click()
        await page.locator("#model-task").get_by_text("a study goes on where it was").wait_for()
        await page.get_by_label("Model", exact=True).click()
        await page.get_by_role("option", name="old", exact=True).click()
        await page.locator("#card").get_by_text("go: it can be taught").wait_for()
        await page.get_by_role("button", name="Serve it from the next start on").click()
        await page.get_by_role("region", name="Added models").get_by_text("from the next start").wait_for()

        await page.get_by_label("Model to add").click()
        await page.get_by_role("option", name="gemma-3-270m").click()
        await page.get_by_role("button", name="Add the model").click()
        await page.locator("#model-task").get_by_text("gemma-3-270m was added").wait_for()
        await page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
        assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]

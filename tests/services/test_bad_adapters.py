"""An adapter that is worse does not get out: planted ones are stopped for their reasons, while chats go on.

The control was really trained: it passes the gates, is promoted, and answers throughout.
"""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.engines.adapter_files import WEIGHTS
from agent.engines.base import Reply
from agent.errors import AdapterRefused, CanaryFailed
from agent.promotion import promote, rollback
from memory.adapters.mlflow import MlflowAdapterRegistry
from memory.errors import AdapterNotServable
from tests.support import plants
from tests.support.bad_adapters import (
    ALTERED,
    DOMAIN,
    FAILED,
    LIMITS,
    PLANTED,
    RANK,
    RECIPE,
    REJECTED,
    SIZES,
    School,
    Serving,
    chatting,
    learn,
    loaded,
    opening,
)
from tests.support.plants import copied
from tests.support.serving import served
from tests.support.tiny_model import FOLDER as TINY
from training import worker
from training.backends import peft
from training.base_model import StudiedModel, open_base_model
from training.jobs import JobContext

pytestmark = [
    pytest.mark.services,
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def base() -> StudiedModel:
    return open_base_model(TINY)


@pytest.fixture(scope="module", autouse=True)
def one_attempt() -> Iterator[None]:
    """A second attempt would change nothing about what is planted, and double the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "ATTEMPTS", 1)
        yield


@pytest.fixture(scope="module")
def school(base: StudiedModel, tmp_path_factory: pytest.TempPathFactory) -> School:
    """The control is trained here."""
    home = tmp_path_factory.mktemp("home").resolve()
    answers: dict[str, Reply] = {}
    context = JobContext(
        home=home,
        base=base,
        recipe=RECIPE,
        question_counts=SIZES,
        thresholds=LIMITS,
        registry=MlflowAdapterRegistry(home),
        train=peft.train,
        open_engine=opening(base, answers),
        clock=lambda: datetime.now(UTC),
        report=lambda digest, progress: None,
    )
    result = learn(context, "control", DOMAIN)
    assert result.status == "candidate", result.reason
    return School(context, answers, context.registry.get(str(result.adapter)))


@pytest.fixture(scope="module")
def serving(
    school: School, base: StudiedModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """vLLM over the tiny model, started for the control's rank."""
    folder = tmp_path_factory.mktemp("serving")
    spare = school.candidate("spare", copied(school.good))
    wide = school.candidate("wide", copied(school.good, plants.widened(64)))
    other = replace(base, folder=plants.reorder_model(base.folder, folder / "other"))
    elsewhere = replace(
        school,
        context=replace(school.context, base=other, open_engine=opening(other, school.answers)),
    )
    foreign = elsewhere.candidate("foreign", copied(school.good, plants.reorder_adapter))
    with served(base.folder, folder / "engine.log", context=1024, rank=RANK) as url:
        running = Serving(school, url, spare, wide, foreign)
        asyncio.run(_promote_control(running))
        yield running


async def _promote_control(serving: Serving) -> None:
    async with serving.engine() as engine:
        await promote(serving.school.control.name, engine=engine, registry=serving.school.context.registry)


@pytest.mark.parametrize("plant", REJECTED)
def test_what_training_made_worse_is_rejected_with_its_reason(school: School, plant: str) -> None:
    make, reason = REJECTED[plant]
    result = school.learn(plant, make(school.good), domain=PLANTED)
    assert result.status == "rejected", f"{result}"
    assert reason in result.reason
    made = school.context.registry.get(str(result.adapter))
    assert made.status == "rejected"
    assert reason in str(school.context.registry.quarantined(made.curriculum))


@pytest.mark.parametrize("plant", FAILED)
def test_what_cannot_be_loaded_ends_its_job_with_its_reason(school: School, plant: str) -> None:
    fault, reason = FAILED[plant]
    known = school.context.registry.list(PLANTED)
    result = school.learn(plant, copied(school.good, fault), domain=PLANTED)
    assert (result.status, result.adapter) == ("failed", None)
    assert reason in result.reason
    assert school.context.registry.list(PLANTED) == known


def test_a_lesson_whose_adapter_was_damaged_can_be_learned_again(school: School) -> None:
    assert school.learn("again", copied(school.good, plants.truncated)).status == "failed"
    school.candidate("again", copied(school.good))


async def test_what_was_rejected_cannot_be_promoted_by_hand(serving: Serving) -> None:
    rejected = serving.school.context.registry.list(PLANTED)
    if not rejected:
        pytest.skip("the tests that plant them did not run")
    async with serving.engine() as engine, chatting(engine, serving.school.control):
        for adapter in rejected:
            with pytest.raises(AdapterNotServable, match=f"{adapter.name} is never served: "):
                await promote(adapter.name, engine=engine, registry=serving.school.context.registry)
        assert not {adapter.name for adapter in rejected} & set(await engine.loaded())
    assert serving.school.context.registry.live(PLANTED) is None


@pytest.mark.parametrize("plant", ALTERED)
async def test_files_that_changed_after_measuring_are_not_served(
    serving: Serving, tmp_path: Path, plant: str
) -> None:
    folder = Path(serving.spare.path)
    kept = Path(shutil.copytree(folder, tmp_path / "kept"))
    ALTERED[plant](folder)
    try:
        with pytest.raises(AdapterRefused, match="changed since evaluation"):
            await serving.promote(serving.spare)
    finally:
        shutil.copytree(kept, folder, dirs_exist_ok=True)


async def test_files_that_are_gone_or_joined_by_a_pickle_are_not_served(serving: Serving) -> None:
    weights = Path(serving.spare.path) / WEIGHTS
    content = weights.read_bytes()
    weights.unlink()
    with pytest.raises(AdapterRefused, match=f"{WEIGHTS} is missing"):
        await serving.promote(serving.spare)
    weights.write_bytes(content)
    plants.pickled(weights.parent)
    with pytest.raises(AdapterRefused, match="can run code"):
        await serving.promote(serving.spare)
    (weights.parent / "adapter_model.bin").unlink()


async def test_a_rank_above_the_served_engines_is_refused_by_it(serving: Serving) -> None:
    with pytest.raises(AdapterRefused, match="vLLM refused"):
        await serving.promote(serving.wide)


async def test_an_adapter_measured_on_another_base_fails_its_canary(serving: Serving) -> None:
    with pytest.raises(CanaryFailed, match=f"{serving.foreign.name}: it answer"):
        await serving.promote(serving.foreign)


async def test_an_adapter_that_is_loaded_without_its_effect_fails_its_canary(
    serving: Serving, tmp_path: Path
) -> None:
    blank = Path(shutil.copytree(serving.spare.path, tmp_path / "blank"))
    plants.scaled(0.0)(blank)
    async with loaded(serving, blank):
        with pytest.raises(CanaryFailed, match="no effect"):
            await serving.promote(serving.spare)


async def test_without_a_fault_the_same_adapter_is_promoted_and_rolled_back(serving: Serving) -> None:
    registry = serving.school.context.registry
    async with serving.engine() as engine, chatting(engine, serving.school.control):
        assert (await promote(serving.spare.name, engine=engine, registry=registry)).status == "live"
        back = await rollback(DOMAIN, engine=engine, registry=registry)
    assert back is not None
    assert back.name == serving.school.control.name == serving.school.live()

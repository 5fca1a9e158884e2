"""A lesson is forgotten by a durable run: quarantine first, then what stays is taught anew and swapped in."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from agent.chat.routing import Routes
from agent.engines.scripted import Line, ScriptedEngine
from agent.learning.forgetting import content_digest, find_lesson
from graphs.server.learn_runs import LearnRuns
from graphs.state import Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.errors import UnknownAdapter
from memory.outbox.base import TrainingResult
from memory.outbox.volatile import VolatileOutbox
from memory.records.adapters import Adapter
from memory.records.curricula import Curriculum
from tests.graphs.conftest import eventually
from tests.support.adapters import adapter, curriculum, fact, pair
from tests.support.learn_service import open_runs

Changed = Callable[..., Runtime]
DOMAIN = "lamps"
GOOD, BAD, LAST = curriculum("good"), curriculum("bad"), curriculum("last")
LIVE = adapter(DOMAIN, 3, digest=LAST.digest).model_copy(update={"rehearsed": (GOOD.digest, BAD.digest)})
OLD = adapter(DOMAIN, 2, digest=BAD.digest).model_copy(update={"rehearsed": (GOOD.digest,)})
RETAUGHT = adapter(DOMAIN, 4, digest="ab" * 32)
SONG = {"What is a borrow?": Line(text="a reference")}
DONE = TrainingResult(status="candidate", adapter=RETAUGHT.name, reason="all gates passed")


def lived(live: Adapter = LIVE) -> VolatileAdapterRegistry:
    retaught = RETAUGHT.model_copy(update={"parent": live.name})
    registry = VolatileAdapterRegistry([OLD, LIVE, retaught, *([live] if live != LIVE else [])])
    registry.promote(OLD.name)
    registry.promote(live.name)
    return registry


async def published(result: TrainingResult = DONE) -> VolatileOutbox:
    """An outbox that holds the three lessons, and ends what is submitted from now on as given."""
    outbox = VolatileOutbox(result)
    for each in (GOOD, BAD, LAST):
        await outbox.submit(each, run_id="r0")
    return outbox


@pytest.fixture
async def taught_runtime(changed: Changed) -> Runtime:
    engine = ScriptedEngine(adapters={each.name: SONG for each in (OLD, LIVE, RETAUGHT)})
    registry = lived()
    routes = Routes(registry, lambda digest: GOOD)
    return changed(registry=registry, routes=routes, outbox=await published(), engine=engine)


@pytest.fixture
async def runs(taught_runtime: Runtime, home: Path) -> AsyncIterator[LearnRuns]:
    async with open_runs(taught_runtime, home) as opened:
        yield opened


async def ended(runs: LearnRuns, run_id: str) -> list[str]:
    """The steps of a run that has ended."""

    async def over() -> bool:
        return (await runs.status(run_id)).status == "ended"

    await eventually(over)
    return [line.step for line in await runs.events(run_id)]


def handed_over(taught_runtime: Runtime) -> Curriculum:
    outbox = taught_runtime.outbox
    assert isinstance(outbox, VolatileOutbox)
    (made,) = [c for c in outbox.submitted.values() if c.supersedes]
    return made


async def test_the_lessons_that_stay_are_taught_anew_and_swapped_in(
    runs: LearnRuns, taught_runtime: Runtime
) -> None:
    run_id = await runs.forget(DOMAIN, BAD.digest, because="the sensor was broken")
    assert await ended(runs, run_id) == ["forget", "forget", "hand over", "train", "promote", "report"]
    record = await taught_runtime.database.run(run_id)
    assert record.outcome is not None
    assert (record.outcome.status, record.outcome.adapter) == ("forgotten", RETAUGHT.name)
    made = handed_over(taught_runtime)
    assert made.supersedes == (BAD.digest, LAST.digest)
    assert content_digest(made) == LAST.digest
    assert taught_runtime.registry.quarantined(BAD.digest) == "forgotten: the sensor was broken"
    assert taught_runtime.registry.quarantined(GOOD.digest) is None
    assert taught_runtime.routes.live[DOMAIN].route.adapter == RETAUGHT.name
    assert record.report is not None
    assert record.report["evaluation"]["after"]["in_distribution"]["accuracy"] == 0.9


async def test_the_way_back_leads_past_the_forgotten_lesson(runs: LearnRuns, taught_runtime: Runtime) -> None:
    await ended(runs, await runs.forget(DOMAIN, BAD.digest))
    assert taught_runtime.registry.rollback(DOMAIN) is None


async def test_forgetting_the_latest_lesson_teaches_the_one_before_it(
    runs: LearnRuns, taught_runtime: Runtime
) -> None:
    await ended(runs, await runs.forget(DOMAIN, LAST.digest))
    made = handed_over(taught_runtime)
    assert (content_digest(made), made.supersedes) == (BAD.digest, (LAST.digest, BAD.digest))


async def test_a_domain_that_learned_nothing_else_goes_back_to_the_base_model(
    changed: Changed, home: Path
) -> None:
    registry = lived(adapter(DOMAIN, 5, digest=BAD.digest))
    taught_runtime = changed(
        registry=registry, routes=Routes(registry, lambda digest: BAD), outbox=await published()
    )
    await taught_runtime.routes.refresh()
    assert DOMAIN in taught_runtime.routes.live
    async with open_runs(taught_runtime, home) as runs:
        run_id = await runs.forget(DOMAIN, BAD.digest)
        assert await ended(runs, run_id) == ["forget", "forget", "report"]
    outcome = (await taught_runtime.database.run(run_id)).outcome
    assert outcome is not None
    assert (outcome.status, "base model" in outcome.reason) == ("forgotten", True)
    assert taught_runtime.registry.live(DOMAIN) is None
    assert DOMAIN not in taught_runtime.routes.live
    assert len(taught_runtime.outbox.submitted) == 3, "nothing was handed over"


async def test_where_retraining_fails_the_way_to_take_the_lesson_off_is_said(
    changed: Changed, home: Path
) -> None:
    failed = TrainingResult(status="failed", adapter=None, reason="the disk is full")
    taught_runtime = changed(registry=lived(), outbox=await published(failed))
    async with open_runs(taught_runtime, home) as runs:
        run_id = await runs.forget(DOMAIN, BAD.digest)
        await ended(runs, run_id)
        said = (await runs.events(run_id))[-1].message
    outcome = (await taught_runtime.database.run(run_id)).outcome
    assert outcome is not None
    assert outcome.status == "failed"
    assert outcome.reason.startswith("the disk is full; the adapter that learned")
    assert f"`nightschool adapters rollback {DOMAIN}` replaces it" in outcome.reason
    assert said == f"failed: {outcome.reason}"
    live = taught_runtime.registry.live(DOMAIN)
    assert live is not None
    assert live.name == LIVE.name
    assert taught_runtime.registry.quarantined(BAD.digest) == "forgotten: no reason given"


async def test_a_run_cut_off_while_it_waits_for_the_trainer_goes_on_and_hands_over_once(
    taught_runtime: Runtime, changed: Changed, home: Path
) -> None:
    waiting = await published()
    waiting._results = {}
    async with open_runs(changed(
        registry=taught_runtime.registry, engine=taught_runtime.engine, outbox=waiting
    ), home) as runs:  # fmt: skip
        run_id = await runs.forget(DOMAIN, BAD.digest)

        async def handed() -> bool:
            return (await runs.status(run_id)).next == ("train",)

        await eventually(handed)
    live = taught_runtime.registry.live(DOMAIN)
    assert live is not None
    assert live.name == LIVE.name
    waiting._results = DONE
    again = changed(registry=taught_runtime.registry, engine=taught_runtime.engine, outbox=waiting)
    async with open_runs(again, home) as runs:
        steps = await ended(runs, run_id)
    assert steps == ["forget", "forget", "hand over", "train", "promote", "report"]
    assert (await taught_runtime.database.run(run_id)).status == "forgotten"


async def test_a_lesson_taught_in_place_of_another_is_forgotten_with_its_content(
    changed: Changed, home: Path
) -> None:
    outbox = await published()
    anew = LAST.model_copy(update={"supersedes": (BAD.digest, LAST.digest)})
    await outbox.submit(anew, run_id="r0")
    live = adapter(DOMAIN, 6, digest=anew.digest).model_copy(update={"rehearsed": (GOOD.digest,)})
    engine = ScriptedEngine(adapters={RETAUGHT.name: SONG})
    taught_runtime = changed(registry=lived(live), outbox=outbox, engine=engine)
    async with open_runs(taught_runtime, home) as runs:
        await ended(runs, await runs.forget(DOMAIN, anew.digest))
    assert taught_runtime.registry.quarantined(LAST.digest) is not None, (
        "a learn run would write this one again"
    )


# Which lesson is meant


def test_a_lesson_is_chosen_by_any_beginning_of_its_digest() -> None:
    for digest in (GOOD.digest, BAD.digest, LAST.digest):
        assert find_lesson(DOMAIN, digest[:8], lived()) == digest
        assert find_lesson(DOMAIN, digest, lived()) == digest


def test_what_the_live_adapter_did_not_learn_cannot_be_forgotten() -> None:
    with pytest.raises(ValueError, match=f"learned no curriculum 00000000: it learned {GOOD.digest[:12]}"):
        find_lesson(DOMAIN, "00000000", lived())


def test_an_ambiguous_beginning_is_refused_with_those_that_it_fits() -> None:
    twins = ("ab" * 4 + "0" * 56, "ab" * 4 + "1" * 56)
    live = adapter(DOMAIN, 7, digest=twins[1]).model_copy(update={"rehearsed": twins[:1]})
    with pytest.raises(ValueError, match=f"ambiguous.*{twins[0][:16]}, {twins[1][:16]}"):
        find_lesson(DOMAIN, "abababab", lived(live))


def test_a_domain_without_adapters_and_one_on_the_base_model_have_nothing_to_forget() -> None:
    registry = lived()
    with pytest.raises(UnknownAdapter, match="rivers"):
        find_lesson("rivers", GOOD.digest, registry)
    registry.retire(DOMAIN)
    with pytest.raises(ValueError, match="uses the base model"):
        find_lesson(DOMAIN, GOOD.digest, registry)


def test_superseding_nothing_leaves_a_digest_as_it_was() -> None:
    bare = fact()
    made = Curriculum(
        topic="t", domain=DOMAIN, facts=(bare,), pairs=(pair(bare, "What is it?"),), teacher="rules"
    )
    assert made.digest == made.model_copy(update={"supersedes": ()}).digest
    assert made.digest != made.model_copy(update={"supersedes": (BAD.digest,)}).digest

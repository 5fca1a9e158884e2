"""Where a person approves what is trained, a night trains what people approved, and nothing else."""

from dataclasses import replace

import pytest

from graphs.night_lessons import hand_over
from graphs.state import Runtime
from memory.errors import NotApproved
from memory.outbox.volatile import VolatileOutbox
from tests.support.adapters import curriculum
from tests.support.night_runs import OPTIONS, NightRun


@pytest.fixture
def supervised(runtime: Runtime) -> Runtime:
    return replace(runtime, approval="human")


def handed_over(runtime: Runtime) -> tuple[str, ...]:
    assert isinstance(runtime.outbox, VolatileOutbox)
    return tuple(runtime.outbox.submitted)


async def test_a_night_hands_nothing_over_that_no_person_approved(supervised: Runtime) -> None:
    night = await NightRun(supervised).whole()
    assert night.status == "done"
    assert handed_over(supervised) == ()


async def test_a_night_teaches_the_golden_pairs_that_a_person_approved(supervised: Runtime) -> None:
    untrained = OPTIONS.model_copy(update={"train": False})
    await NightRun(supervised).whole(options=untrained)
    pairs = await supervised.nights.golden(domain="rust")
    assert pairs
    for pair in pairs:
        await supervised.nights.decide_golden(pair.id, True, "bob")
    run = NightRun(supervised)
    run._state["night_id"] = "n2"
    night = await run.whole(id="n2")
    assert night.status == "done"
    (digest,) = handed_over(supervised)
    approval = await supervised.approvals.require(digest, policy="human")
    assert (approval.asked_by, approval.approved_by) == ("night", "bob")


async def test_the_policy_approves_where_no_person_has_to(runtime: Runtime) -> None:
    await NightRun(runtime).whole()
    digest = handed_over(runtime)[0]
    approval = await runtime.approvals.require(digest)
    assert (approval.asked_by, approval.approved_by, approval.policy) == ("night", "policy", "auto")


async def test_a_night_hands_over_nothing_without_a_record(runtime: Runtime) -> None:
    night = await NightRun(runtime).begin()
    with pytest.raises(NotApproved, match="nobody approved"):
        await hand_over(curriculum(), "lesson", night, runtime)
    assert handed_over(runtime) == ()

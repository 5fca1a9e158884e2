"""A night's input gives its period, its thread cannot change it, and a stopped night can be resumed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from graphs.server.night_spec import AT_LEAST, AT_MOST, NightSpec
from graphs.state import Runtime
from memory.errors import AdminsOnly, AlreadyExists
from memory.records.access import EVERYTHING, Access
from memory.records.nights import NightOptions
from tests.support.nights import WHEN, night

DAY = timedelta(days=1)


@pytest.fixture
def spec(runtime: Runtime) -> NightSpec:
    saver: Any = InMemorySaver()
    return NightSpec(runtime, saver)


async def begin(spec: NightSpec, id: str = "n1", **values: Any) -> dict[str, Any]:
    accepted = await spec.validate_input(id, values, {}, EVERYTHING)
    return dict(await spec.initial_state(id, accepted, asked_by="ada", streamed=False))


async def test_a_night_goes_over_the_last_day_of_the_base_domain(spec: NightSpec, runtime: Runtime) -> None:
    assert await begin(spec) == {"night_id": "n1", "domain": "general"}
    stored = await runtime.nights.night("n1")
    assert (stored.since, stored.until, stored.status) == (WHEN - DAY, WHEN, "waiting")


async def test_the_next_night_goes_on_where_the_last_one_ended(spec: NightSpec, runtime: Runtime) -> None:
    ended = WHEN - timedelta(hours=30)
    first = await runtime.nights.begin(night("n0", until=ended))
    await runtime.nights.update(first.model_copy(update={"status": "done"}))
    await begin(spec, domain="rust")
    assert (await runtime.nights.night("n1")).since == ended


async def test_what_a_night_by_hand_left_out_is_gone_over_next(spec: NightSpec, runtime: Runtime) -> None:
    ended = WHEN - timedelta(hours=30)
    for id, since, until in (("n0", ended - DAY, ended), ("hand", WHEN - timedelta(hours=1), WHEN)):
        began = await runtime.nights.begin(night(id, since=since, until=until, began_at=until))
        await runtime.nights.update(began.model_copy(update={"status": "done"}))
    await begin(spec, domain="rust")
    assert (await runtime.nights.night("n1")).since == ended


async def test_an_assistant_s_options_are_defaults(spec: NightSpec, runtime: Runtime) -> None:
    accepted = await spec.validate_input(
        "n1", {}, {"domain": "rust", "options": {"train": False}}, EVERYTHING
    )
    assert (accepted["domain"], accepted["options"]["train"]) == ("rust", False)


async def test_a_request_cannot_include_owners_that_the_service_excludes(
    spec: NightSpec, runtime: Runtime
) -> None:
    spec._runtime = replace(runtime, excluded_owners=frozenset({"ann", "ben"}))
    await begin(spec, options={"exclude_owners": ["cem", "ann"]})
    assert (await runtime.nights.night("n1")).options.exclude_owners == ("ann", "ben", "cem")


@pytest.mark.parametrize(
    "values",
    [
        {"domain": "Not a domain"},
        {"options": {"unknown": 1}},
        {"since": "2026-03-02T00:00:00"},
        {"since": WHEN.isoformat(), "until": WHEN.isoformat()},
        {"id": "other"},
        {"until": (WHEN + timedelta(hours=1)).isoformat()},
        {"options": {"strategies": ["guessing"]}},
    ],
)
async def test_invalid_input_is_refused(spec: NightSpec, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # each has its own message
        await spec.validate_input("n1", values, {}, EVERYTHING)


async def test_a_thread_holds_one_night_and_a_domain_one_at_a_time(spec: NightSpec) -> None:
    await begin(spec, domain="rust")
    with pytest.raises(AlreadyExists, match="already has a night"):
        await spec.validate_input("n1", {}, {}, EVERYTHING)
    with pytest.raises(AlreadyExists, match="night n1 is waiting on rust"):
        await begin(spec, "n2", domain="rust")


@pytest.mark.parametrize("name", ["night_id", "domain"])
def test_a_client_cannot_make_a_thread_work_on_another_night(spec: NightSpec, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} cannot be changed"):
        spec.validate_update({name: "other"}, "ada")
    with pytest.raises(ValueError, match="ending"):
        spec.validate_update({"ending": "running"}, "ada")


async def test_a_failed_night_is_noted_and_waits_again_when_it_is_resumed(
    spec: NightSpec, runtime: Runtime
) -> None:
    state = await begin(spec, domain="rust")
    await spec.record_failure("n1", "stopped", "it was cancelled")
    await spec.record_failure("nowhere", "failed", "it never began")
    stopped = await runtime.nights.night("n1")
    assert (stopped.status, stopped.reason) == ("stopped", "it was cancelled")
    await spec.record_failure("n1", "failed", "something else")
    assert await runtime.nights.night("n1") == stopped, "the first end counts"
    assert await spec.update_on_resume("n1", state, asked_by="ada") == {"ending": None, "reason": ""}
    assert (await runtime.nights.night("n1")).status == "waiting"


async def test_the_wait_for_the_trainer_starts_anew_whatever_a_client_wrote(
    spec: NightSpec, runtime: Runtime
) -> None:
    state = await begin(spec, domain="rust")
    await spec.record_failure("n1", "stopped", "it was cancelled")
    changes = await spec.update_on_resume("n1", state | {"training": "lesson"}, asked_by="ada")
    assert changes["handed_over_at"] == runtime.clock()


async def test_what_was_handed_over_after_a_checkpoint_is_handed_over_anew(
    spec: NightSpec, runtime: Runtime
) -> None:
    state = await begin(spec, domain="rust")
    given = {"handed_over": {"lesson": "a" * 64, "preferences": "b" * 64}, "status": "stopped"}
    await runtime.nights.update((await runtime.nights.night("n1")).model_copy(update=given))
    await spec.update_on_resume("n1", state | {"tried": ("lesson",)}, asked_by="ada")
    assert (await runtime.nights.night("n1")).handed_over == {"lesson": "a" * 64}


async def test_a_fork_is_a_night_of_its_own(spec: NightSpec, runtime: Runtime) -> None:
    state = await begin(spec, domain="rust")
    with pytest.raises(AlreadyExists):
        await spec.update_on_resume("fork", state, asked_by="ada")
    await spec.record_failure("n1", "stopped", "it was cancelled")
    changes = await spec.update_on_resume("fork", state, asked_by="ada")
    assert changes["night_id"] == "fork"
    forked, original = await runtime.nights.night("fork"), await runtime.nights.night("n1")
    assert (forked.status, forked.since, forked.until) == ("waiting", original.since, original.until)
    assert original.status == "stopped"


@pytest.mark.parametrize(
    "bad", [{"window_minutes": float("inf")}, {"quiet_requests": 1e300}, {"max_turns": 10**30}]
)
async def test_options_that_no_night_can_keep_are_refused(spec: NightSpec, bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="less than or equal"):
        await spec.validate_input("n1", {"options": bad}, {}, EVERYTHING)


LOOSER = {name: getattr(NightOptions(), name) / 2 for name in AT_LEAST} | {
    name: getattr(NightOptions(), name) + 1 for name in AT_MOST
}
INTEGERS = {"minimum_turns", "minimum_examples"}


@pytest.mark.parametrize(
    "option",
    [{"teach_statements": True}]
    + [{name: int(value) if name in INTEGERS else value} for name, value in LOOSER.items()],
)
@pytest.mark.parametrize("of_assistant", [False, True])
async def test_only_admins_loosen_what_a_night_asks_of_what_it_teaches(
    spec: NightSpec, option: dict[str, Any], of_assistant: bool
) -> None:
    sent: tuple[dict[str, Any], dict[str, Any]] = ({"options": option}, {})
    values, options = sent[::-1] if of_assistant else sent
    with pytest.raises(AdminsOnly, match=f"options.{next(iter(option))}: only an admin"):
        await spec.validate_input("n1", values, options, Access(owner="ann"))
    accepted = await spec.validate_input("n1", values, options, EVERYTHING)
    assert accepted["options"].items() >= option.items()


async def test_anybody_may_ask_more_of_what_a_night_teaches(spec: NightSpec) -> None:
    stricter = {"minimum_examples": 50, "spot_check": 0.5, "improvement": 0.1, "max_turns": 10, "attacks": 0}
    accepted = await spec.validate_input("n1", {"options": stricter}, {}, Access(owner="ann"))
    assert accepted["options"].items() >= stricter.items()


def test_every_number_among_the_options_is_bounded_for_other_keys_than_admins() -> None:
    numbers = {name for name, value in NightOptions() if type(value) in (int, float)}
    assert {*AT_LEAST, *AT_MOST} == numbers - {"canary_share"}, "which only shows an adapter to fewer"

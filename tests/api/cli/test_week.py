"""`nightschool week` says what is due, and the command for it."""

from datetime import UTC, datetime

import pytest

from api.cli.week import MAX_TURNS, Standing, Step, steps_of

NOW = datetime(2026, 3, 4, tzinfo=UTC)
ADAPTER = "general-v2-1f9c2a7e"
NOTHING = Standing(
    domain="general",
    since=None,
    turns=0,
    open_items=0,
    judged=0,
    untrained=(),
    training=(),
    candidates=(),
    rejected=None,
    experiment=None,
    live=None,
)


def due(**changes: object) -> list[str]:
    return [step.step for step in steps_of(NOTHING._replace(**changes), NOW) if step.due]


def step(name: str, **changes: object) -> Step:
    return next(each for each in steps_of(NOTHING._replace(**changes), NOW) if each.step == name)


def experiment(status: str, adapter: str = ADAPTER) -> dict[str, object]:
    return {
        "id": "e1",
        "name": "candidate",
        "status": status,
        "variants": [{"name": "control", "adapter": None}, {"name": "candidate", "adapter": adapter}],
        "log": [{"reason": "the planned 1000 units were reached"}],
    }


def test_nothing_is_due_on_a_new_service_and_all_steps_are_shown_in_order() -> None:
    assert due() == []
    names = [each.step for each in steps_of(NOTHING, NOW)]
    assert names == ["export", "sample", "annotate", "build", "train", "evaluate", "ab", "deploy"]


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"turns": 5}, ["export", "sample"]),
        ({"turns": 5, "open_items": 2}, ["export", "annotate"]),
        ({"turns": 5, "judged": 2}, ["export", "build"]),
        ({"untrained": ("d1",)}, ["train"]),
        ({"untrained": ("d1",), "training": ("d2",)}, []),
        ({"rejected": ADAPTER}, ["evaluate"]),
        ({"candidates": (ADAPTER,)}, ["ab"]),
        ({"candidates": (ADAPTER,), "experiment": experiment("running")}, ["ab"]),
        ({"candidates": (ADAPTER,), "experiment": experiment("rolled_back")}, []),
        ({"candidates": (ADAPTER,), "experiment": experiment("stopped")}, ["deploy"]),
        ({"live": ADAPTER, "experiment": experiment("promoted")}, []),
        ({"candidates": ("general-v3-00000000",), "experiment": experiment("promoted")}, ["ab"]),
    ],
)
def test_a_step_is_due_when_there_is_something_to_do(changes: dict[str, object], steps: list[str]) -> None:
    assert due(**changes) == steps


def test_commands_name_what_they_are_about() -> None:
    assert step("train", untrained=("d1", "d0")).command == "nightschool preferences train d1 --follow"
    assert (
        step("ab", candidates=(ADAPTER,)).command
        == f"nightschool ab start general --variant candidate={ADAPTER}"
    )
    assert step("ab", experiment=experiment("running")).command == "nightschool ab status e1"
    tried = step("deploy", candidates=(ADAPTER,), experiment=experiment("stopped"))
    assert tried.command == f"nightschool adapters promote {ADAPTER}"
    assert "the planned 1000 units were reached" in tried.state


def test_the_period_begins_where_the_last_set_ended() -> None:
    sampled = step("sample", turns=3, since="2026-03-01T10:00:00Z")
    assert sampled.command == (
        "nightschool annotate sample --batch week-2026-10 --count 50 --domain general"
        " --since 2026-03-01T10:00:00Z"
    )
    assert sampled.state == "3 turns since 2026-03-01 10:00"


def test_very_many_turns_are_not_counted_to_the_end() -> None:
    assert step("export", turns=MAX_TURNS).state == f"{MAX_TURNS}+ turns"

"""A lesson that failed every time says whether the adapter is full, and which base model might hold it."""

from pathlib import Path

import pytest

from memory.outbox.files import publish
from memory.records.adapters import Adapter
from memory.records.evaluations import GateCheck, GateVerdict
from tests.support.adapters import adapter, curriculum
from tests.support.cards import card
from tests.support.lessons import lesson
from training.rejection import explain_rejection

EARLIER = curriculum(), lesson("quix", "marn")


def verdict(*failed: str) -> GateVerdict:
    names = ("target accuracy", "known facts lost", "earlier lessons lost")
    checks = [GateCheck(name=n, goal="", figure=0.0, passed=n not in failed) for n in names]
    return GateVerdict(passed=not failed, checks=tuple(checks))


def later(folder: Path) -> Adapter:
    """A rejected version after two lessons."""
    digests = tuple(publish(folder, each) for each in EARLIER)
    parent = adapter("lamps", 2).name
    return adapter("lamps", 3, rejected=True).model_copy(update={"rehearsed": digests, "parent": parent})


@pytest.mark.parametrize("failed", [("target accuracy",), ("earlier lessons lost",)])
def test_a_further_lesson_without_room_says_how_much_the_adapter_holds(
    tmp_path: Path, failed: tuple[str, ...]
) -> None:
    made = later(tmp_path)
    found = explain_rejection([verdict(*failed), verdict("target accuracy")], made, card(), tmp_path)
    assert found.full
    assert f"{made.parent} cannot hold more at this size, it holds 3 facts now" in found.reason
    assert "stay answered from sources" in found.reason


def test_an_attempt_that_lost_something_else_does_not_make_the_adapter_full(tmp_path: Path) -> None:
    verdicts = [verdict("known facts lost"), verdict("target accuracy")]
    found = explain_rejection(verdicts, later(tmp_path), card(), tmp_path)
    assert not found.full
    assert "test-model does not hold this lesson" in found.reason


def test_a_first_lesson_does_not_make_the_adapter_full(tmp_path: Path) -> None:
    made = adapter("lamps", 1, rejected=True)
    assert not explain_rejection([verdict("target accuracy")] * 2, made, card(), tmp_path).full


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        (1_000_000, "such as smollm2-135m, of 135 million parameters,"),
        (134_515_008, "such as gemma-3-270m, of 268 million parameters,"),
        (7_000_000_000, "of more than 7000 million parameters"),
    ],
)
def test_the_next_larger_base_model_is_named(tmp_path: Path, parameters: int, named: str) -> None:
    made = adapter("lamps", 1, rejected=True)
    found = explain_rejection([verdict("target accuracy")] * 2, made, card(parameters=parameters), tmp_path)
    assert f"a larger base model {named} might hold it (`nightschool models list`)" in found.reason

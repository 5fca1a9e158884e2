"""A function over a large log gives the same records in this process and on a Ray cluster."""

import importlib.util
import sys
from collections.abc import Iterator, Sequence

import pytest

from agent.nights.batch import LOCAL, MissingRay, map_turns
from memory.records.base import Record
from memory.records.interactions import Interaction
from tests.support.interactions import interaction

TURNS = [interaction(f"turn-{n}", question=f"What is {n}?") for n in range(25)]


class Length(Record):
    """The length of a turn's question, and how many turns came with it."""

    id: str
    length: int
    beside: int


def lengths(turns: Sequence[Interaction]) -> list[Length]:
    return [Length(id=turn.id, length=len(turn.question), beside=len(turns)) for turn in turns]


def test_there_is_a_record_for_each_turn_in_order_and_batches_are_bounded() -> None:
    made = map_turns(TURNS, lengths, Length, batch=10)
    assert [each.id for each in made] == [turn.id for turn in TURNS]
    assert [each.beside for each in made] == [10] * 20 + [5] * 5


def test_no_turns_give_no_records() -> None:
    assert map_turns([], lengths, Length) == ()


def test_a_function_that_loses_a_turn_is_refused() -> None:
    with pytest.raises(ValueError, match="25 turns gave 24 records"):
        map_turns(TURNS, lambda turns: lengths(turns)[1:], Length)


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingRay, match=r"nightschool\[ray\]"):
        map_turns(TURNS, lengths, Length, ray_address=LOCAL)


@pytest.fixture
def cluster() -> Iterator[None]:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is an extra of its own: pip install 'nightschool[ray]'")
    yield
    import ray

    ray.shutdown()


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.timeout(180)
@pytest.mark.usefixtures("cluster")
def test_two_workers_of_a_cluster_give_the_same_records() -> None:
    plain = map_turns(TURNS, lengths, Length, batch=10)
    assert map_turns(TURNS, lengths, Length, ray_address=LOCAL, workers=2, batch=10) == plain

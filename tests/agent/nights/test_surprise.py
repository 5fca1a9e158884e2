"""Surprise: items that the live model predicts badly are rehearsed more often, within bounds."""

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.engines.scripted import UNKNOWN, Line, ScriptedEngine
from agent.errors import EngineUnavailable
from agent.nights.surprise import (
    SurpriseItem,
    measure_losses,
    surprise_recipe,
    update_surprise,
    weights,
)
from memory.records.curricula import item_digest
from memory.records.nights import Surprise

NIGHT = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
RECIPE = surprise_recipe()


def item(name: str, answer: str = "a small primate") -> SurpriseItem:
    return SurpriseItem(domain="zoo", question=f"What is a {name}?", answer=answer)


def surprise(name: str, momentum: float, *, days: float = 1) -> Surprise:
    return Surprise(
        item=item(name).digest,
        domain="zoo",
        loss=1.0,
        momentum=momentum,
        nights=1,
        measured_at=NIGHT - timedelta(days=days),
    )


def momenta(losses: dict[str, float], earlier: tuple[Surprise, ...] = ()) -> dict[str, float]:
    items = [item(name) for name in losses]
    updated = update_surprise(
        items,
        {item(name).digest: loss for name, loss in losses.items()},
        {each.item: each for each in earlier},
        now=NIGHT,
    )
    return dict(zip(losses, (each.momentum for each in updated), strict=True))


def test_an_item_has_the_digest_that_curricula_use() -> None:
    assert item("lemur").digest == item_digest("What is a lemur?", "a small primate")


async def test_the_loss_is_the_mean_of_the_answers_tokens() -> None:
    known = Line(text="a small primate", logprob=math.log(0.5))
    engine = ScriptedEngine({"What is a lemur?": known})
    losses = await measure_losses([item("lemur"), item("kiln"), item("lemur")], engine, None)
    assert losses[item("lemur").digest] == pytest.approx(math.log(2))
    assert losses[item("kiln").digest] == pytest.approx(-UNKNOWN.logprob)
    assert len(losses) == 2


async def test_an_item_beyond_the_context_is_left_out() -> None:
    engine = ScriptedEngine(context=20)
    losses = await measure_losses([item("lemur"), item("kiln " * 30)], engine, None)
    assert set(losses) == {item("lemur").digest}


async def test_an_engine_that_is_away_stops_the_measurement() -> None:
    engine = ScriptedEngine()
    engine.available = False
    with pytest.raises(EngineUnavailable):
        await measure_losses([item("lemur")], engine, None)


def test_an_item_above_the_average_loss_surprises_and_one_below_does_not() -> None:
    assert momenta({"lemur": 1.0, "kiln": 3.0}) == {"lemur": -1.0, "kiln": 1.0}


def test_past_surprise_counts_on_and_decays_with_the_days() -> None:
    yesterday = momenta({"lemur": 1.0, "kiln": 1.0}, (surprise("kiln", 2.0),))
    last_week = momenta({"lemur": 1.0, "kiln": 1.0}, (surprise("kiln", 2.0, days=7),))
    assert yesterday["lemur"] == 0.0
    assert yesterday["kiln"] == pytest.approx(RECIPE.momentum * (1 - RECIPE.decay) * 2.0)
    assert 0.0 < last_week["kiln"] < yesterday["kiln"]


def test_without_new_surprise_momentum_fades_within_a_week() -> None:
    now, earlier = NIGHT, {item("kiln").digest: surprise("kiln", 4.0)}
    losses = {item("lemur").digest: 1.0, item("kiln").digest: 1.0}
    for _ in range(7):
        updated = update_surprise([item("lemur"), item("kiln")], losses, earlier, now=now)
        earlier = {each.item: each for each in updated}
        now += timedelta(days=1)
    assert abs(earlier[item("kiln").digest].momentum) < 0.1
    assert earlier[item("kiln").digest].nights == 8


def test_a_repeated_step_changes_nothing() -> None:
    items, losses = [item("lemur"), item("kiln")], {item("lemur").digest: 1.0, item("kiln").digest: 3.0}
    first = update_surprise(items, losses, {}, now=NIGHT)
    again = update_surprise(items, losses, {each.item: each for each in first}, now=NIGHT)
    assert again == first


def test_an_item_without_a_loss_is_left_out() -> None:
    assert update_surprise([item("lemur")], {}, {}, now=NIGHT) == ()
    assert weights(()) == {}


def test_surprising_items_weigh_more() -> None:
    found = weights([surprise("lemur", -1.0), surprise("kiln", 1.0)])
    assert found[item("kiln").digest] > 1.0 > found[item("lemur").digest]


def test_uniform_weights_are_all_one() -> None:
    found = weights([surprise("lemur", -1.0), surprise("kiln", 1.0)], uniform=True)
    assert set(found.values()) == {1.0}


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=60))
def test_weights_have_mean_one_and_stay_within_their_bounds(values: list[float]) -> None:
    found = weights([surprise(f"thing {index}", value) for index, value in enumerate(values)])
    assert sum(found.values()) / len(found) == pytest.approx(1.0, abs=1e-6)
    assert all(RECIPE.lowest <= weight <= RECIPE.highest for weight in found.values())
    ordered = sorted(zip(values, found.values(), strict=True))
    assert all(one[1] <= two[1] + 1e-12 for one, two in pairwise(ordered))

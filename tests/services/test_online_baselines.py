"""The baselines of the online benchmark are trained and measured beside the service's own adapter."""

from pathlib import Path

import pytest

from benchmarks.online.baselines import ALONE, OURS, compare, train_alone
from benchmarks.online.population import population
from memory.records.feedback import PreferencePair
from memory.records.interactions import LoggedMessage
from tests.support.tiny_model import FOLDER
from training.base_model import open_base_model

pytestmark = pytest.mark.services

PAIRS = tuple(
    PreferencePair(
        messages=(LoggedMessage(role="user", content=f"Tell me about {subject}."),),
        chosen="Of course! It is a small thing.",
        rejected="It is a thing of which there is much to be said and nobody ever comes to an end.",
        origin="annotation",
        source=subject,
    )
    for subject in ("rain", "roads", "rivers", "rooms")
)


def test_every_baseline_is_measured_beside_ours_and_the_base_model(tmp_path: Path) -> None:
    base = open_base_model(FOLDER)
    ours = tmp_path / "ours"
    train_alone(base, PAIRS, "dpo", ours)
    known = [question for question in base.questions if question.known][:5]
    compared = compare(base, PAIRS, ours, population(10), ["Hello!", "What is a road?"], known, tmp_path)
    assert [row.name for row in compared] == ["base model", OURS, *ALONE]
    assert not [row.failed for row in compared if row.failed]
    assert all(row.win_rate is not None and row.known is not None for row in compared)
    assert compared[0].win_rate == 0.5
    assert all(row.seconds > 0 for row in compared if row.name in ALONE)
    same = {row.name: row.win_rate for row in compared}
    assert same[OURS] == same["DPO without replay"], "trained in the same way"

"""A short pass over the faults: one of each kind, each at another step; `make faults` does them all."""

import os

import pytest

from tests.faults.__main__ import outcomes_of
from tests.faults.case import Case
from tests.faults.machine import missing

CASES = (
    Case("kill", "api", "learn", "hand_over"),
    Case("kill", "worker", "learn", "worker train"),
    Case("kill", "engine", "chat", "answer"),
    Case("kill", "graph", "ingest", "ingest add facts"),
    Case("kill", "api", "promotion", "promotion alias"),
    Case("full disk", "api", "ingest", "ingest add passages"),
    Case("slow disk", "api", "chat", "remember"),
    Case("clock jump", "api", "chat", "open_gap"),
    Case("partition", "graph", "ingest", "ingest remove facts"),
    Case("kill", "api", "night", "score"),
)


@pytest.mark.services
@pytest.mark.timeout(600)
def test_nothing_is_lost_or_done_twice_or_told_wrongly_when_a_process_breaks() -> None:
    possible = [case for case in CASES if missing(case.kind) is None]
    outcomes = list(outcomes_of(possible, float("inf")))
    assert [outcome.case for outcome in outcomes] == possible
    wrong = {str(each.case): each.violations for each in outcomes if each.violations}
    assert not wrong
    assert all(outcome.reached for outcome in outcomes)


@pytest.mark.skipif(os.geteuid() != 0, reason="without root, full disks and cut networks cannot be made")
def test_root_can_make_every_fault_except_where_a_tool_is_missing() -> None:
    reasons = {kind: missing(kind) for kind in ("kill", "full disk", "slow disk", "clock jump", "partition")}
    assert all(reason is None or reason.endswith("is not installed") for reason in reasons.values())

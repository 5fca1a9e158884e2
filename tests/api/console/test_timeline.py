"""A thread's checkpoints as HTML: their order, their branches, and what a client wrote into metadata."""

from typing import Any

import pytest

pytest.importorskip("gradio", reason="the extra `console` is not installed")

from api.console.timeline import drawn, in_order, label, origin_of, state_details, timeline

ATTACK = "<img src=x onerror=alert(1)>"


def state(id: str, parent: str | None, next: list[str], source: str = "loop") -> dict[str, Any]:
    return {
        "checkpoint_id": id,
        "parent_checkpoint_id": parent,
        "next": next,
        "metadata": {"source": source},
        "created_at": "2026-11-29T23:11:26Z",
    }


def thread(id: str, **metadata: Any) -> dict[str, Any]:
    return {"thread_id": id, "metadata": metadata, "status": "idle", "updated_at": "2026-11-29T23:11:26Z"}


PAST = [
    state("c4", "c2", ["approve"], "update"),
    state("c3", "c2", ["approve"]),
    state("c2", "c1", ["verify"]),
    state("c1", None, ["__start__"], "input"),
]


def test_checkpoints_are_told_oldest_first_with_the_step_that_made_them() -> None:
    assert [label(each) for each in in_order(PAST)] == [
        "1. after the start, next: the input",
        "2. after the input, next: verify",
        "3. after verify, next: approve",
        "4. after a person's change, next: approve",
    ]


def test_a_fork_in_the_thread_begins_a_lane_of_its_own() -> None:
    svg = drawn(in_order(PAST), [])
    assert svg.count('cx="22.0"') == 3
    assert svg.count('cx="44.0"') == 1


def test_branches_are_drawn_at_their_checkpoint_and_listed() -> None:
    branch = thread("b", forked_from={"thread_id": "t", "checkpoint_id": "c2"})
    page = timeline(in_order(PAST), [branch], thread("t", graph_id="learn"))
    assert "branch b (idle)" in page
    assert "<td>b</td><td>2</td><td>idle</td>" in page
    assert "A branch of t, from its checkpoint c2." in timeline([], [], branch)


@pytest.mark.parametrize("origin", [None, "x", 7, [1], {}, {"thread_id": ATTACK}])
def test_metadata_that_a_client_wrote_breaks_nothing(origin: Any) -> None:
    forged = thread("t", graph_id=ATTACK, forked_from=origin)
    page = timeline(in_order(PAST), [forged] if origin_of(forged) else [], forged)
    assert "<img" not in page


def test_a_state_is_shown_with_what_its_step_changed() -> None:
    before = state("c1", None, ["a"]) | {"values": {"query": "x" * 100 + "one", "same": 1}}
    now = state("c2", "c1", ["b"]) | {"values": {"query": "x" * 100 + "two", "same": 1, ATTACK: [ATTACK] * 9}}
    page = state_details(now, before)
    assert "one&quot;</td>" in page  # the end of a long value, where it differs
    assert "two&quot;</td>" in page
    assert "<dt>same</dt><dd>1</dd>" in page
    assert "<img" not in page

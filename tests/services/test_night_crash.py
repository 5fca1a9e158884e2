"""kill -9 of the process in the middle of a night's step: the night ends, and nothing is there twice."""

import json
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.crashes import Start, idle_trainer, line, processes
from tests.support.night_runs import day

pytestmark = pytest.mark.services


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with processes("tests.support.night_process", tmp_path) as start:
        yield start


@pytest.fixture
def trained(tmp_path: Path) -> Iterator[list[str]]:
    with idle_trainer(tmp_path) as digests:
        yield digests


def most_often(home: Path, table: str, *fields: str) -> int:
    """How often the most frequent row is in the table, by these fields of its body."""
    with closing(sqlite3.connect(home / "nightschool.db")) as database:
        bodies = [json.loads(body) for (body,) in database.execute(f"SELECT body FROM {table}")]
    return max(Counter(tuple(body[field] for field in fields) for body in bodies).values())


@pytest.mark.timeout(180)
@pytest.mark.parametrize("step", ["score", "revise", "golden", "attack", "train"])
def test_a_night_that_is_killed_in_a_step_ends_and_has_nothing_twice(
    start: Start, trained: list[str], tmp_path: Path, step: str
) -> None:
    first = start(step)
    line(first, f"at {step}")
    first.send_signal(signal.SIGKILL)
    first.wait(timeout=10)

    status, steps = line(start("nowhere"), "ended").split()[1:3]
    assert status == "done"
    assert steps.split(",") == [
        "collect", "score", "revise", "archive", "consolidate", "topics", "golden", "surprise", "attack",
        "train", "deploy", "report",
    ]  # fmt: skip
    assert most_often(tmp_path, "answer_scores", "interaction_id", "scorer") == 1
    assert most_often(tmp_path, "revisions", "interaction_id") == 1
    assert most_often(tmp_path, "golden_pairs", "question") == 1
    assert most_often(tmp_path, "attacks", "kind", "question") == 1
    assert most_often(tmp_path, "nights", "domain") == 1
    with closing(sqlite3.connect(tmp_path / "nightschool.db")) as database:
        (scores,) = database.execute("SELECT count(*) FROM answer_scores").fetchone()
    assert scores == len([turn for turn in day() if turn.domain == "rust"])
    assert trained
    assert len(trained) == len(set(trained))
    assert sorted(file.stem for file in (tmp_path / "outbox").glob("*.json")) == sorted(trained)

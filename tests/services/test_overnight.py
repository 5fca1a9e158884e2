"""A service that is left alone overnight answers more of yesterday's questions in the morning."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.grading import is_correct
from tests.services.stack.test_loop import OWNERSHIP, ask
from tests.support.stack import Stack, stack
from tests.support.tiny_model import FOLDER as TINY

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(900)]

ASKED = {
    "What is a dangling reference?": "memory that was already freed",
    "What does the clone method return?": "a deep copy",
    "What does a reference cycle cause?": "a memory leak",
    "What does the borrow checker prevent?": "data races",
    "What is a mutable reference?": "exclusive access",
    "What does a string slice contain?": "a pointer and a length",
    "What is a move?": "a transfer of a value",
    "What is a string slice?": "a reference to a part of a string",
}
"""The tiny model was taught other meanings of some of these words."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A service of its own: what the others were asked, a night would go over too."""
    with stack(tmp_path_factory.mktemp("overnight") / "home", NIGHTSCHOOL_MODEL=str(TINY)) as running:
        yield running


def right(service: Stack) -> set[str]:
    """The questions that are answered rightly now."""
    return {question for question, answer in ASKED.items() if is_correct(ask(service, question)[0], [answer])}


def the_night(service: Stack) -> dict[str, Any]:
    """The night, once it has ended."""
    while True:
        for night in service.client.get("/v1/nights"):
            if night["ended_at"] is not None:
                assert isinstance(night, dict)
                return night
        time.sleep(1)


def test_more_of_yesterday_s_questions_are_answered_rightly_in_the_morning(
    alone: Stack, tmp_path: Path
) -> None:
    source = tmp_path / "ownership.md"
    source.write_text(OWNERSHIP)
    assert alone.run("ingest", str(source)).returncode == 0
    evening = right(alone)

    soon = datetime.now(UTC) + timedelta(minutes=1)
    # Time is accelerated: turns of the last five minutes do not make the night wait.
    schedule = {"domain": "general", "at": f"{soon:%H:%M}", "options": {"quiet_requests": 100}}
    alone.client.put("/v1/nights/schedule", schedule)
    night = the_night(alone)

    assert night["status"] == "done", night["reason"]
    morning = right(alone)
    assert evening < morning, f"evening: {evening}, morning: {morning}, steps: {night['steps']}"

"""What logging adds to a chat turn, part by part, and how much feedback a second is stored.

The same build cannot log nothing, so the parts are measured in this process: scrubbing a turn's texts, the
pseudonym of its user, and saving it. Feedback is written by concurrent clients, straight to the store.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from agent.feedback.pseudonyms import pseudonym
from agent.privacy.scrubbing import Scrubber
from benchmarks.api import postgresql
from benchmarks.api.environments import Unavailable
from benchmarks.api.load import throughput
from memory.database.database import open_database
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.records.feedback import Feedback
from memory.records.interactions import Interaction, LoggedMessage

CLIENTS = 32
NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUESTION = "What should I know before I start with growing tomatoes on a balcony?"
ANSWER = (
    "Choose a sunny spot and a pot of at least ten litres, and water every morning. Tie the plant to a stick "
    "once it is taller than your hand, and pinch out the side shoots. I hope this helps!"
)
PERSONAL = f"My mail is jane.doe@example.org and my number is 212-555-0187. {QUESTION}"


def overhead(times: int) -> tuple[dict[str, float], dict[str, str]]:
    """The figures, each from `times` repetitions, and of what could not be measured why."""
    figures = _texts(times)
    unavailable: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'nightschool.db'}"
        figures |= asyncio.run(_stores(url, "SQLite", times))
    try:
        with postgresql.cluster() as cluster:
            figures |= asyncio.run(_stores(cluster.create("nightschool"), "PostgreSQL", times))
    except Unavailable as error:
        unavailable["PostgreSQL"] = str(error)
    return figures, unavailable


def _texts(times: int) -> dict[str, float]:
    """Milliseconds of the work on a turn's texts."""
    scrubber = Scrubber()
    parts: dict[str, Callable[[], object]] = {
        "scrubbing a turn": lambda: [scrubber.scrub(text) for text in (QUESTION, ANSWER, QUESTION)],
        "scrubbing a turn with personal data": lambda: [
            scrubber.scrub(text) for text in (PERSONAL, ANSWER, PERSONAL)
        ],
        "the user's pseudonym": lambda: pseudonym("user-0001", "0" * 64),
    }
    return {
        f"{name}, {percentile} ms": figure
        for name, part in parts.items()
        for percentile, figure in _percentiles(_timed(part, times)).items()
    }


async def _stores(url: str, name: str, times: int) -> dict[str, float]:
    """Milliseconds until a turn is saved, and feedback a second by concurrent clients."""
    database = await open_database(url)
    try:
        log, store = InteractionLog(database), FeedbackStore(database)
        turns = [_turn(number) for number in range(times)]
        took = [await _seconds(partial(log.save, turn)) for turn in turns]
        numbers = iter(range(10**9))

        async def send() -> None:
            number = next(numbers)
            await store.add(_vote(number, turns[number % len(turns)].id))

        rate = await throughput(send, CLIENTS, 5 * times)
    finally:
        await database.aclose()
    saved = {f"saving a turn, {name}, {key} ms": figure for key, figure in _percentiles(took).items()}
    return saved | {f"feedback a second, {name}": rate}


def _timed(part: Callable[[], object], times: int) -> list[float]:
    part()  # what is loaded once is not a turn's
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        part()
        seconds.append(time.perf_counter() - started)
    return seconds


async def _seconds(part: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await part()
    return time.perf_counter() - started


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    p50, p95 = np.percentile(seconds, (50, 95)) * 1000
    return {"p50": float(p50), "p95": float(p95)}


def _turn(number: int) -> Interaction:
    return Interaction(
        id=f"turn-{number}",
        question=QUESTION,
        answer=ANSWER,
        messages=(LoggedMessage(role="user", content=QUESTION),),
        domain="general",
        adapter=None,
        uncertainty=None,
        intent="conversation",
        outcome="answered",
        unit=f"{number % 300:016x}",
        latency_ms=12.0,
        created_at=NOW,
    )


def _vote(number: int, interaction: str) -> Feedback:
    """Feedback of a client of its own, so that none replaces another's."""
    return Feedback(
        id=f"feedback-{number}",
        interaction_id=interaction,
        kind="vote",
        value=1.0,
        owner=f"owner-{number}",
        created_at=NOW,
    )

"""Serves the app over shipped fakes in a process of its own, for tests that kill it or start two.

    python -m tests.support.langgraph_process HOME DATABASE_URL PORT

It opens once it is told to by a line of input, and its engine answers nothing until `allowed` is in HOME.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from langchain_core.messages import BaseMessage

from agent.chat.routing import Route, Routes
from agent.engines.base import GREEDY, Reply, Sampling, Token
from agent.engines.scripted import ScriptedEngine
from graphs.state import Limits, Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.database.database import open_database
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.feedback.annotations import Annotations
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.nights.store import NightStore
from memory.nights.volatile_answers import VolatileAnswerArchive
from memory.outbox.base import TrainingResult
from memory.outbox.volatile import VolatileOutbox
from memory.semantic.volatile import VolatileSemanticMemory
from memory.server.approvals import Approvals
from memory.server.grants import Grants
from tests.graphs.conftest import BASE_LINES, SONG, TRAINED
from tests.support.adapters import curriculum
from tests.support.cards import card, gate
from tests.support.facts import rust
from tests.support.langgraph_server import serving


class WaitingEngine(ScriptedEngine):
    def __init__(self, home: Path) -> None:
        super().__init__(BASE_LINES, adapters={TRAINED.name: SONG})
        self._allowed = home / "allowed"

    async def stream(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        print("asked", flush=True)
        while not self._allowed.exists():  # noqa: ASYNC110  # another process makes it
            await asyncio.sleep(0.02)
        async for part in super().stream(messages, adapter=adapter, sampling=sampling):
            yield part


async def main(home: Path, database_url: str, port: int) -> None:
    logging.disable(logging.WARNING)
    passage, facts = rust()
    episodic, semantic = VolatileEpisodicMemory(HashingEmbedder()), VolatileSemanticMemory()
    await episodic.add([passage])
    await semantic.add(facts)
    registry = VolatileAdapterRegistry([TRAINED])
    numbers = iter(range(1, 1_000_000))
    database = await open_database(database_url)
    runtime = Runtime(
        engine=WaitingEngine(home),
        episodic=episodic,
        semantic=semantic,
        database=database,
        interactions=InteractionLog(database),
        feedback=FeedbackStore(database),
        annotations=Annotations(database),
        nights=NightStore(database),
        grants=Grants(database),
        answers=VolatileAnswerArchive(HashingEmbedder()),
        pseudonym_key="key",
        approvals=Approvals(database),
        outbox=VolatileOutbox(TrainingResult(status="candidate", adapter=TRAINED.name, reason="all passed")),
        registry=registry,
        routes=Routes(registry, lambda digest: curriculum()),
        base=Route(domain="general", adapter=None, gate=gate()),
        base_name="nightschool",
        card=card(),
        embedder=HashingEmbedder(),
        clock=lambda: datetime.now(UTC),
        new_id=lambda: f"{port}-{next(numbers)}-{datetime.now(UTC).timestamp()}",
        limits=Limits(poll_seconds=0.05),
    )
    async with serving(runtime, home, database_url, port=port) as url:
        print(f"serving {url}", flush=True)
        await asyncio.sleep(3600)


if __name__ == "__main__":
    sys.stdin.readline()
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))

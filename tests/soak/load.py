"""The load of the soak: clients that chat, stream, converse, ingest, and now and then learn."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

from tests.faults import work
from tests.faults.work import Client, Refused

SECONDS = 120.0
"""Limit of each piece of work."""
KEPT = 200
"""Acknowledgements that a client remembers."""
PAUSE = 0.05


class Load:
    """Clients of one service; counts what they did and what was refused."""

    def __init__(self, url: str) -> None:
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.reasons: list[str] = []
        self._url = url
        self._numbers = itertools.count(1)

    async def run(self, stop: asyncio.Event) -> None:
        """Works until the event is set."""
        async with asyncio.TaskGroup() as clients:
            for kind, pause in (
                ("chat", PAUSE),
                ("stream", PAUSE),
                ("thread", PAUSE),
                ("ingest", 2.0),
                ("learn", 20.0),
            ):
                clients.create_task(self._client(kind, pause, stop))

    async def _client(self, kind: str, pause: float, stop: asyncio.Event) -> None:
        async with work.client_of(self._url) as client:
            for act in self._acts(kind, client):
                if stop.is_set():
                    return
                try:
                    await act()
                    self.done[kind] += 1
                except Refused as error:
                    self.refused[kind] += 1
                    self.reasons.append(f"{kind}: {error}"[:300])
                del client.ledger[:-KEPT]
                client.ended.clear()
                try:
                    await asyncio.wait_for(stop.wait(), pause)
                except TimeoutError:
                    continue

    def _acts(self, kind: str, client: Client) -> Iterator[Callable[[], Awaitable[object]]]:
        """What a client of the kind does, one after the other."""
        while True:
            number = next(self._numbers)
            # A few hundred questions and documents, again and again, as users have.
            question = f"What is a {work.word(number % 400)}er?"
            match kind:
                case "chat":
                    yield lambda question=question: work.chat(client, question, SECONDS)  # type: ignore[misc]
                case "stream":
                    yield lambda question=question: work.stream(client, question, SECONDS)  # type: ignore[misc]
                case "thread":
                    yield lambda question=question: work.converse(client, question, SECONDS)  # type: ignore[misc]
                case "ingest":
                    yield lambda number=number: work.ingest(client, number % 50, SECONDS)  # type: ignore[misc]
                case _:
                    yield lambda number=number: work.learn(client, 50 + number % 20, SECONDS)  # type: ignore[misc]

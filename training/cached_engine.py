"""The base model's answers, kept from lesson to lesson: what it says greedily does not change."""

import json
from collections.abc import Sequence
from pathlib import Path

from langchain_core.messages import BaseMessage
from pydantic import ValidationError

from agent.engines.base import GREEDY, Engine, Reply, Sampling
from memory.records.base import digest_of


class CachedEngine:
    """Asks an engine, and remembers the base model's greedy answers in a file of JSON lines.

    Adapters are always asked. The file is for one base model; a line that a crash cut off is asked anew.
    """

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._path = path
        self._known: dict[str, Reply] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                entry = json.loads(line)
                self._known[entry["key"]] = Reply.model_validate(entry["reply"])
            except (ValueError, KeyError, TypeError, ValidationError):
                continue

    async def chat(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> Reply:
        """See `Engine.chat`."""
        if adapter is not None or sampling.temperature > 0:
            return await self._engine.chat(messages, adapter=adapter, sampling=sampling)
        said = [[message.type, message.content] for message in messages]
        key = digest_of([said, sampling.model_dump(mode="json")])
        if key not in self._known:
            reply = await self._engine.chat(messages, sampling=sampling)
            self._known[key] = reply
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "reply": reply.model_dump(mode="json")}) + "\n")
        return self._known[key]

    async def load(self, adapter: str, path: Path) -> None:
        """See `Engine.load`."""
        await self._engine.load(adapter, path)

"""An engine that caches the base model's greedy answers on disk; they are the same for each lesson."""

import json
from collections.abc import Sequence
from pathlib import Path

from langchain_core.messages import BaseMessage
from pydantic import ValidationError

from agent.engines.base import GREEDY, Engine, Reply, Sampling
from memory.records.base import digest_of


class CachedEngine:
    """Wraps an engine and caches the base model's greedy answers in a JSON Lines file.

    Answers of adapters are not cached. The file is for one base model; a line cut off by a crash is ignored.
    """

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._path = path
        self._cache: dict[str, Reply] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                entry = json.loads(line)
                self._cache[entry["key"]] = Reply.model_validate(entry["reply"])
            except (ValueError, KeyError, TypeError, ValidationError):
                continue

    async def chat(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> Reply:
        """See `Engine.chat`."""
        if adapter is not None or sampling.temperature > 0:
            return await self._engine.chat(messages, adapter=adapter, sampling=sampling)
        conversation = [[message.type, message.content] for message in messages]
        key = digest_of([conversation, sampling.model_dump(mode="json")])
        if key not in self._cache:
            reply = await self._engine.chat(messages, sampling=sampling)
            self._cache[key] = reply
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "reply": reply.model_dump(mode="json")}) + "\n")
        return self._cache[key]

    async def load(self, adapter: str, path: Path) -> None:
        """See `Engine.load`."""
        await self._engine.load(adapter, path)

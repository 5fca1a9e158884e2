"""Engines for tests."""

from collections.abc import AsyncGenerator, Sequence

from langchain_core.messages import BaseMessage

from agent.engines.base import GREEDY, Reply, Sampling, Token
from agent.engines.scripted import ScriptedEngine


class RecordingEngine(ScriptedEngine):
    """A scripted engine that keeps what it was asked."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # as the scripted engine takes them
        self.asked: list[tuple[Sequence[BaseMessage], Sampling]] = []

    async def stream(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        """See Engine.stream."""
        self.asked.append((messages, sampling))
        async for part in super().stream(messages, adapter=adapter, sampling=sampling):
            yield part


class VaryingEngine(ScriptedEngine):
    """A scripted engine whose sampled answers end with their seed; greedy ones are the script's."""

    async def stream(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        """See Engine.stream."""
        async for part in super().stream(messages, adapter=adapter, sampling=sampling):
            if sampling.temperature and isinstance(part, Reply):
                part = part.model_copy(update={"text": f"{part.text} {sampling.seed}"})
            yield part

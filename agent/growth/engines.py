"""The models while one grows onto the other: one of them at a time is in memory, with its adapters."""

import asyncio
from collections.abc import Callable

from agent.engines.base import Engine
from agent.models.store import AddedModel
from memory.adapters.base import AdapterRegistry
from memory.records.adapters import Adapter


class OneEngine:
    """Opens the model that is asked for; the one before it is let go of."""

    def __init__(self, open_engine: Callable[[AddedModel], Engine], *registries: AdapterRegistry) -> None:
        """The registries are those of the models, each with its own base."""
        self._open = open_engine
        self._registries = {registry.base: registry for registry in registries}
        self._model: str | None = None
        self._engine: Engine | None = None

    async def of(self, model: AddedModel, adapter: Adapter | None = None) -> Engine:
        """The model's engine, with the adapter loaded. Raises EngineError."""
        if self._engine is None or self._model != model.card.digest:
            self._engine = None  # before the next one is opened, so that only one takes memory
            self._engine = await asyncio.to_thread(self._open, model)
            self._model = model.card.digest
        if adapter is not None and adapter.name not in await self._engine.loaded():
            registry = self._registries[model.card.digest]
            folder = await asyncio.to_thread(registry.fetch, adapter.name)
            await self._engine.load(adapter.name, folder)
        return self._engine

"""A runtime with small lessons and a fake trainer."""

from collections.abc import Callable
from typing import Any

import pytest

from agent.chat.routing import Routes
from agent.engines.scripted import ScriptedEngine
from graphs.state import Limits, Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from tests.graphs.conftest import BASE_LINES, SONG
from tests.support.adapters import curriculum
from tests.support.lesson_runs import SMALL, FixedTeacher
from tests.support.trainers import FakeTrainer

Changed = Callable[..., Runtime]


@pytest.fixture
def school(changed: Changed) -> Callable[..., tuple[Runtime, FakeTrainer]]:
    """The runtime with small lessons and a trainer that makes an adapter of each."""

    def opened(limits: Limits = SMALL, **behaviour: Any) -> tuple[Runtime, FakeTrainer]:
        registry = VolatileAdapterRegistry()
        trainer = FakeTrainer(registry, **behaviour)
        engine = ScriptedEngine(BASE_LINES, adapters={"rust": SONG})
        routes = Routes(registry, lambda digest: curriculum())
        return changed(
            registry=registry,
            outbox=trainer,
            engine=engine,
            routes=routes,
            limits=limits,
            teacher=FixedTeacher(),
        ), trainer

    return opened

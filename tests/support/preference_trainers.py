"""Fakes for tests of the whole online loop: a trainer of preferences, and a model with a style to change."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

from langchain_core.messages import BaseMessage

from agent.chat.routing import Routes
from agent.engines.base import GREEDY, Reply, Sampling, Token
from agent.engines.scripted import Line, ScriptedEngine
from agent.experiments.active import ActiveExperiments
from graphs.state import Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.outbox.base import TrainingResult
from memory.outbox.volatile import VolatileOutbox
from memory.records.adapters import Canary
from memory.records.base import Digest
from tests.support.adapters import adapter, curriculum

CANARY = Canary(question="How are you?", answer="Fine, thank you!", base_answer="It depends on many things.")
BRIEF = "Of course! Take one small step a day, and let me know how it goes"
LONG_WINDED = " ".join(map("".join, product("bcdfghjklmnp", "aeiouybcdfgh")))
DIGITS = str.maketrans("0123456789", "abcdefghij")
"""Seeds are spelled: what looks like a phone number would be scrubbed."""


class StyledEngine(ScriptedEngine):
    """Answers at length; an adapter of the domain `general` answers briefly and politely.

    Sampled answers are brief or long by their seed, so that there is something to prefer.
    """

    def __init__(self) -> None:
        brief = {CANARY.question: Line(text=CANARY.answer)}

        def briefly(messages: Sequence[BaseMessage]) -> Line:
            said = str(messages[-1].text)
            return brief.get(said) or Line(text=f"{BRIEF}: {said}")

        super().__init__(
            {CANARY.question: Line(text=CANARY.base_answer)},
            adapters={"general": briefly},
            default=Line(text=LONG_WINDED),
        )

    async def stream(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        """See Engine.stream."""
        async for part in super().stream(messages, adapter=adapter, sampling=sampling):
            if sampling.temperature and isinstance(part, Reply):
                style = BRIEF if sampling.seed % 2 else LONG_WINDED
                part = part.model_copy(update={"text": f"{style}, {str(sampling.seed).translate(DIGITS)}"})
            yield part


class PreferenceTrainer(VolatileOutbox):
    """The outbox and the trainer behind it: each job ends with an adapter on top of the live one."""

    def __init__(self, registry: VolatileAdapterRegistry) -> None:
        super().__init__({})
        self._registry = registry

    async def result(self, digest: Digest) -> TrainingResult | None:
        """See Outbox.result; registers the adapter when it is first asked for."""
        await super().result(digest)  # raises UnknownRun
        learned = self.submitted_preferences[digest]
        live = self._registry.live(learned.domain)
        existing = [each for each in self._registry.list(learned.domain) if digest in each.preferences]
        if not existing:
            version = 1 + len(self._registry.list(learned.domain))
            made = adapter(learned.domain, version, digest=digest).model_copy(
                update={
                    "curriculum": None,
                    "preferences": (*(live.preferences if live else ()), digest),
                    "parent": live.name if live else None,
                    "canary": CANARY,
                }
            )
            self._registry.register(made)
            existing = [made]
        return TrainingResult(status="candidate", adapter=existing[0].name, reason="all gates passed")


def with_style(runtime: Runtime) -> Runtime:
    """The runtime with a model that has a style, and a trainer that changes it; time passes."""
    registry, engine = VolatileAdapterRegistry([]), StyledEngine()
    routes = Routes(registry, lambda digest: curriculum())
    store = runtime.experiments.store
    return replace(
        runtime,
        engine=engine,
        registry=registry,
        routes=routes,
        outbox=PreferenceTrainer(registry),
        experiments=ActiveExperiments(store, engine=engine, registry=registry, routes=routes),
        clock=lambda: datetime.now(UTC),
    )

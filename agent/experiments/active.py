"""The running experiments as chat uses them: cached, so that a turn waits for no store."""

import asyncio
import logging
from collections.abc import Iterable, Mapping

from agent.chat.routing import AUTO, Route, Routes, route_of
from agent.engines.base import Engine
from agent.errors import AdapterRefused, CanaryFailed, EngineUnavailable
from agent.experiments.assignment import variant_of
from agent.promotion import load_with_canary
from memory.adapters.base import AdapterRegistry, base_mismatch
from memory.errors import AdapterNotServable, UnknownAdapter
from memory.feedback.experiments import Experiments
from memory.records.base import Domain
from memory.records.experiments import Assignment, Experiment, Variant

log = logging.getLogger(__name__)

UNUSABLE = (UnknownAdapter, AdapterNotServable, AdapterRefused, CanaryFailed)
"""Errors because of which a variant's adapter cannot answer, and the control does."""


class ActiveExperiments:
    """Cached running experiments with the routes of their variants."""

    def __init__(
        self, store: Experiments, *, engine: Engine, registry: AdapterRegistry, routes: Routes
    ) -> None:
        self.store = store
        self._engine = engine
        self._registry = registry
        self._routes = routes
        self._by_domain: Mapping[Domain, Experiment] = {}
        self._adapters: Mapping[str, Route] = {}
        """Routes of the variants' adapters that can be used."""
        self._reported: Mapping[str, str] = {}
        """Why adapters cannot be used, as logged last."""
        self._refreshing = asyncio.Lock()

    @property
    def running(self) -> Mapping[Domain, Experiment]:
        """By domain, as of the last refresh."""
        return self._by_domain

    async def refresh(self) -> None:
        """Reads the running experiments, and loads the variants' adapters that the engine lacks.

        In place of an adapter that cannot be used, the control answers from then on. Raises
        EngineUnavailable.
        """
        async with self._refreshing:
            running = {experiment.domain: experiment for experiment in await self.store.running()}
            try:
                adapters = await self._load_all(running.values())
            except EngineUnavailable:
                self._by_domain = running
                raise
            self._by_domain, self._adapters = running, adapters

    async def refresh_if_changed(self) -> bool:
        """Refreshes if an experiment began, changed or ended; returns whether one did."""
        if {experiment.domain: experiment for experiment in await self.store.running()} == self._by_domain:
            return False
        await self.refresh()
        return True

    async def _load_all(self, experiments: Iterable[Experiment]) -> Mapping[str, Route]:
        """The routes of the variants' adapters that can be used."""
        names = {v.adapter for e in experiments for v in e.variants if v.adapter is not None}
        present = frozenset(await self._engine.loaded()) if names else frozenset[str]()
        usable: dict[str, Route] = {}
        unusable: dict[str, str] = {}
        for name in sorted(names):
            try:
                usable[name] = await self.load(name, loaded=name in present)
            except UNUSABLE as error:
                unusable[name] = str(error)
                if self._reported.get(name) != str(error):
                    log.error("the control answers in place of %s: %s", name, error)
        self._reported = unusable
        return usable

    async def load(self, name: str, *, loaded: bool = False) -> Route:
        """The route of an adapter that can be used; loads it unless it is `loaded`.

        Raises UnknownAdapter, AdapterNotServable, AdapterRefused, CanaryFailed and EngineUnavailable.
        """
        adapter = await self._routes.servable(name)
        if (reason := await asyncio.to_thread(base_mismatch, adapter, self._registry)) is not None:
            raise AdapterNotServable(reason)
        if not loaded:
            await load_with_canary(adapter, engine=self._engine, registry=self._registry)
        return route_of(adapter)

    def assign(self, domain: Domain, unit: str | None) -> Assignment | None:
        """The unit's assignment in the domain's experiment; None without experiment, coverage or unit."""
        experiment = self._by_domain.get(domain)
        if experiment is None or unit is None:
            return None
        name = variant_of(experiment, unit)
        if name is None:
            return None
        adapter = next((v.adapter for v in experiment.variants if v.name == name), None)
        return Assignment(
            experiment_id=experiment.id,
            version=experiment.version,
            variant=name,
            fallback=adapter is not None and adapter not in self._adapters,
        )

    def route(self, assignment: Assignment, control: Route) -> Route:
        """The route of the assigned variant; the control's where it has no adapter of its own."""
        variant = self._variant(assignment)
        if variant is None or variant.adapter is None:
            return control
        return self._routes.calibrated(self._adapters[variant.adapter])

    def system_prompt(self, assignment: Assignment) -> str | None:
        """The system prompt of the assigned variant, if it has one."""
        variant = self._variant(assignment)
        return None if variant is None else variant.system_prompt

    def _variant(self, assignment: Assignment) -> Variant | None:
        """The variant that answers; None if it is the control as it is without experiments."""
        if assignment.fallback:
            return None
        experiments = (e for e in self._by_domain.values() if e.id == assignment.experiment_id)
        variants = (v for e in experiments for v in e.variants)
        return next((variant for variant in variants if variant.name == assignment.variant), None)

    def takes_part(self, requested: str | None, base_name: str) -> bool:
        """Whether a request for this model may be assigned: `auto` or a domain, but no certain model."""
        if requested in (None, AUTO):
            return True
        return requested != base_name and requested in self._routes.live

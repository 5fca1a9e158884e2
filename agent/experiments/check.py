"""Checks of a running experiment: measures it, decides, and carries the decision out.

A winning adapter becomes its domain's live one. A winning system prompt is only reported: the service has no
prompts of its own, so the operator puts it into the application. After a roll-back or a stop the domain is
served as before, because an experiment never moves the alias while it runs.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.chat.routing import Routes
from agent.engines.base import Engine
from agent.experiments.active import UNUSABLE
from agent.experiments.decision import Analysis, analyse, decide
from agent.experiments.metrics import measure
from agent.feedback.implicit import seed_weights
from agent.promotion import promote
from memory.adapters.base import AdapterRegistry
from memory.feedback.experiments import Experiments
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.records.experiments import Experiment, ExperimentDecision, Variant
from memory.records.interactions import Interaction
from memory.server.audit import AuditLog

LOG_INTERVAL = timedelta(hours=1)
"""An automatic check that says the same as the last entry is logged again only after this time."""
PAGE = 100
"""Turns read at once: each page blocks the event loop for some milliseconds."""


@dataclass(frozen=True)
class ExperimentChecks:
    """Measures and checks experiments."""

    experiments: Experiments
    interactions: InteractionLog
    feedback: FeedbackStore
    engine: Engine
    registry: AdapterRegistry
    routes: Routes
    clock: Callable[[], datetime]
    audit: AuditLog

    async def analysis(self, experiment: Experiment) -> Analysis:
        """The experiment's figures now. Raises StoreUnavailable."""
        turns: list[Interaction] = []
        pages = self.interactions.stream(
            experiment.created_at, experiment.ended_at, experiment=experiment.id, page=PAGE
        )
        async for page in pages:
            turns += page
        feedback = await self.feedback.of(turn.id for turn in turns)
        exposures = await self.experiments.exposures(experiment.id, experiment.version)

        def computed() -> Analysis:
            return analyse(experiment, measure(experiment, turns, feedback, seed_weights()), exposures)

        return await asyncio.to_thread(computed)

    async def check(self, experiment_id: str, *, log_always: bool = False) -> tuple[Experiment, Analysis]:
        """Decides on the experiment by its figures, carries the decision out and logs it.

        An experiment that has ended is only measured. Raises UnknownExperiment, StoreUnavailable and
        EngineUnavailable; the experiment then runs on as it was.
        """
        experiment = await self.experiments.get(experiment_id)
        analysis = await self.analysis(experiment)
        if experiment.status != "running":
            return experiment, analysis
        decision = decide(experiment, analysis, self.clock())
        if decision.action in ("checked", "alarm", "promoted"):
            decision = await self._with_live_adapter(experiment, decision)
        if decision.action == "promoted":
            decision = await self._promote(experiment, decision)
        if log_always or not _is_repetition(experiment, decision):
            try:
                experiment = await self.experiments.append(experiment_id, decision)
            except ValueError:  # it was ended in the meantime
                experiment = await self.experiments.get(experiment_id)
        return experiment, analysis

    async def _promote(self, experiment: Experiment, decision: ExperimentDecision) -> ExperimentDecision:
        winner = _winner(experiment, decision)
        if winner.system_prompt is not None:
            # An adapter was tested together with the prompt, so it is not promoted without it.
            advice = "put its system prompt into your application" + (
                f", and promote {winner.adapter}" if winner.adapter is not None else ""
            )
            return decision.model_copy(update={"reason": f"{decision.reason}: {advice}"})
        assert winner.adapter is not None, "a variant has an adapter or a system prompt"
        try:
            async with self.audit.acting(
                "adapter.promote", by=f"experiment {experiment.id}", subject=winner.adapter
            ):
                await promote(winner.adapter, engine=self.engine, registry=self.registry)
        except UNUSABLE as error:
            reason = f"{decision.reason}, but its adapter cannot be promoted: {error}"
            return decision.model_copy(update={"action": "alarm", "reason": reason})
        await self.routes.refresh()
        reason = f"{decision.reason}: {winner.adapter} is live"
        return decision.model_copy(update={"reason": reason})

    async def _with_live_adapter(
        self, experiment: Experiment, decision: ExperimentDecision
    ) -> ExperimentDecision:
        """Stops an experiment whose control has changed, because its figures mix two controls.

        A winner may be live already: a check promoted it and ended before it could log that.
        """
        live = await asyncio.to_thread(self.registry.live, experiment.domain)
        name = live.name if live is not None else None
        before = experiment.log[0].figures.get("live")
        expected = {before}
        if decision.action == "promoted" and _winner(experiment, decision).system_prompt is None:
            expected.add(_winner(experiment, decision).adapter)
        if name in expected:
            return decision
        reason = (
            f"the live adapter of {experiment.domain} changed from {before or 'the base model'} to"
            f" {name or 'the base model'}: start a new experiment"
        )
        return decision.model_copy(update={"action": "stopped", "reason": reason, "variant": None})


def _winner(experiment: Experiment, decision: ExperimentDecision) -> Variant:
    return next(variant for variant in experiment.variants if variant.name == decision.variant)


def _is_repetition(experiment: Experiment, decision: ExperimentDecision) -> bool:
    """Whether the last log entry says the same and is recent."""
    last = experiment.log[-1]
    same = (last.action, last.reason) == (decision.action, decision.reason)
    return same and decision.at - last.at < LOG_INTERVAL

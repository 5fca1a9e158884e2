"""Starts experiments: completes their variants, and refuses those that could not work."""

import asyncio
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from agent.chat.routing import Route, Routes, route_of_domain
from agent.experiments.active import ActiveExperiments
from memory.adapters.base import AdapterRegistry
from memory.records.base import AdapterName, Record, Share
from memory.records.experiments import (
    CONTROL,
    HOLDOUT,
    MAX_VARIANTS,
    VARIANT_PATTERN,
    Experiment,
    ExperimentDecision,
    Variant,
)

SALT_BYTES = 8


class VariantRequest(Record):
    """A variant as its author names it."""

    name: str = Field(pattern=VARIANT_PATTERN)
    share: Share | None = Field(None, gt=0, lt=1)
    """None for an equal part of what the other shares leave."""
    adapter: AdapterName | None = None
    system_prompt: (
        Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)] | None
    ) = None


def complete_variants(requested: Sequence[VariantRequest]) -> tuple[Variant, ...]:
    """The variants with their shares, the control first; it is added if it was left out.

    Variants without a share divide what the others leave. Raises ValueError.
    """
    control = next(
        (variant for variant in requested if variant.name == CONTROL), VariantRequest(name=CONTROL)
    )
    treatments = [variant for variant in requested if variant.name != CONTROL]
    if not treatments:
        raise ValueError(
            "an experiment needs a variant beside the control: name an adapter or a system prompt"
        )
    names = [variant.name for variant in requested]
    if len(set(names)) < len(names) or HOLDOUT in names:
        raise ValueError(f"variants need different names, and none may be called {HOLDOUT!r}")
    if len(treatments) >= MAX_VARIANTS:
        raise ValueError(f"an experiment has at most {MAX_VARIANTS} variants, the control among them")
    for variant in treatments:
        if variant.adapter is None and variant.system_prompt is None:
            raise ValueError(
                f"variant {variant.name!r} is like the control: give it an adapter or a system prompt"
            )
    ordered = [control, *treatments]
    left = 1.0 - sum(variant.share or 0.0 for variant in ordered)
    open_shares = sum(variant.share is None for variant in ordered)
    if (open_shares and left <= 0) or (not open_shares and abs(left) > 1e-6):
        raise ValueError("the variants' shares, with the control's, have to add up to 1")
    return tuple(
        Variant(
            name=variant.name,
            share=left / open_shares if variant.share is None else variant.share,
            adapter=variant.adapter,
            system_prompt=variant.system_prompt,
        )
        for variant in ordered
    )


async def start_experiment(
    variants: Sequence[VariantRequest],
    *,
    domain: str,
    id: str,
    now: datetime,
    by: str,
    base: Route,
    active: ActiveExperiments,
    routes: Routes,
    registry: AdapterRegistry,
    **settings: Any,
) -> Experiment:
    """Loads the variants' adapters, checks their canaries, stores the experiment and serves it from now on.

    `settings` are further fields of the experiment. Raises ValueError (shares, too few planned units, an
    adapter of another domain), UnknownAdapter (also for a domain that nothing serves), AdapterNotServable,
    AdapterRefused, CanaryFailed, AlreadyExists and EngineUnavailable.
    """
    completed = complete_variants(variants)
    control = route_of_domain(domain, routes=routes, base=base)
    live = {"live": control.adapter}
    started = ExperimentDecision(at=now, action="started", by=by, reason="started", figures=live)
    experiment = Experiment(
        id=id,
        domain=domain,
        salt=secrets.token_hex(SALT_BYTES),
        variants=completed,
        log=(started,),
        created_at=now,
        **settings,
    )
    _require_decidable(experiment)
    for name in dict.fromkeys(variant.adapter for variant in completed if variant.adapter is not None):
        adapter = await asyncio.to_thread(registry.get, name)
        if adapter.domain != domain:
            raise ValueError(f"{name} is an adapter of the domain {adapter.domain!r}, not of {domain!r}")
        await active.load(name)
    await active.store.create(experiment)
    await active.refresh()
    return experiment


def _require_decidable(experiment: Experiment) -> None:
    """Raises ValueError for an experiment whose planned units do not give each variant its minimum."""
    smallest = min(experiment.variants, key=lambda variant: variant.share)
    expected = experiment.planned * smallest.share
    if expected < experiment.minimum:
        raise ValueError(
            f"of {experiment.planned} planned units {smallest.name} gets {expected:.0f}, and"
            f" {experiment.minimum} are the minimum of each variant: plan more units, lower the minimum, or"
            " raise its share"
        )

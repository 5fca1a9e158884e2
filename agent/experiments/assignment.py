"""Assignment of units to an experiment's variants, by hashing: nothing is stored, and it never changes.

The holdout is decided first and with a hash of its own, over the domain and the unit only. So it is the same
units in every experiment of a domain: what they experience over the months is the service without any
experiment. The variants then divide the other units. Each variant's range starts at a fixed point, the share
of the variants before it, and coverage cuts the range's end: raising it adds units and moves none (unlike in
growthbook/growthbook-js#22).
"""

import hashlib

from memory.records.experiments import HOLDOUT, Experiment

BITS = 53
"""Precision of a float, so that every fraction is below 1."""


def fraction(*parts: str) -> float:
    """SHA-256 of the parts as a number in [0, 1)."""
    digest = hashlib.sha256("|".join(parts).encode()).digest()
    return (int.from_bytes(digest[:8]) >> (64 - BITS)) / float(2**BITS)


def is_held_out(domain: str, unit: str, share: float) -> bool:
    """Whether the unit belongs to the domain's holdout; a larger holdout contains every smaller one."""
    return fraction(HOLDOUT, domain, unit) < share


def variant_of(experiment: Experiment, unit: str) -> str | None:
    """Name of the variant that the unit is assigned to, HOLDOUT, or None if it is not covered."""
    if is_held_out(experiment.domain, unit, experiment.holdout):
        return HOLDOUT
    point = fraction(experiment.salt, experiment.id, str(experiment.version), unit)
    start = 0.0
    for variant in experiment.variants:
        if start <= point < start + variant.share:
            return variant.name if point < start + variant.share * experiment.coverage else None
        start += variant.share
    last = experiment.variants[-1]  # the shares' sum was rounded to just below 1
    return last.name if experiment.coverage == 1 else None

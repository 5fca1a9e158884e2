"""Scores a model on the paired prompts; the base model's scores are kept in a file."""

import logging
from pathlib import Path

from pydantic import ValidationError

from agent.engines.base import ContinuationScorer
from agent.feedback.paired_prompts import PairedPrompts, paired_prompts
from memory.outbox.files import write_atomically
from memory.records.base import Digest, Record
from memory.records.evaluations import BiasScore
from training.bias.widening import widening

log = logging.getLogger(__name__)


class BaseScores(Record):
    """The base model's scores of the prompts with this digest."""

    prompts: Digest
    scores: tuple[tuple[float, ...], ...]


async def measure_bias(
    engine: ContinuationScorer,
    adapter: str,
    cache: Path,
    *,
    margin: float,
    prompts: PairedPrompts | None = None,
) -> BiasScore:
    """How far the loaded adapter widens the gaps of the base model; `margin` is in nats.

    The base model's scores are read from `cache`, or written there if it has none of the same prompts. Passes
    engine errors on.
    """
    chosen = prompts or paired_prompts()
    base = _read(cache)
    if base is None or base.prompts != chosen.digest:
        scores = await engine.continuation_logprobs(chosen.texts, chosen.continuations)
        base = BaseScores(prompts=chosen.digest, scores=scores)
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cache, base.model_dump_json())
    after = await engine.continuation_logprobs(chosen.texts, chosen.continuations, adapter=adapter)
    return widening(chosen, base.scores, after, margin=margin)


def _read(cache: Path) -> BaseScores | None:
    try:
        return BaseScores.model_validate_json(cache.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        log.warning("%s is damaged, the base model is scored again: %s", cache, error)
        return None

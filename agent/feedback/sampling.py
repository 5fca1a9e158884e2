"""Sampling for annotation: 70% of the interactions by priority, 30% at random, stratified by domain.

New topics, engaged users, uncertain answers and edge cases have priority. Near duplicates are dropped.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from memory.embedding.embedder import Embedder, Vectors
from memory.language.text import words
from memory.records.base import Record, Share
from memory.records.feedback import Feedback
from memory.records.interactions import Interaction

if TYPE_CHECKING:
    from datasketch import MinHash  # type: ignore[import-untyped]

Reason = Literal["new_topic", "engagement", "uncertainty", "edge_case"]

PERMUTATIONS = 128
"""MinHash permutations; the estimate's standard error is at most .044 (1 / (2 sqrt(128)))."""
ROWS_AT_ONCE = 256
"""Vectors compared with all earlier ones at once; bounds the memory for a day of interactions."""


class SamplingRecipe(Record):
    """How interactions are drawn for annotation; the weights and the share are the seed's."""

    priority_share: Share = 0.7
    """The rest is drawn at random, so that the sample also shows what the priorities miss."""
    new_topic: float = 3.0
    engagement: float = 2.0
    uncertainty: float = 2.0
    edge_case: float = 3.0
    familiar: float = 0.4
    """Cosine similarity from which on a question counts as a known topic. Of 1,200 unrelated questions, .25%
    reached it with the sentence model (`agent.chat.routing.MIN_SIMILARITY`)."""
    near_threshold: float = 0.1
    """Distance of the confidence to the gate's threshold below which an answer counts as uncertain; a choice,
    not a measurement."""
    shortest: int = 2
    """Answers of at most so many words are edge cases: often a fragment or a bare yes."""
    longest: int = 300
    """Answers of at least so many words are edge cases: reading one takes over a minute (238 words a minute,
    Brysbaert 2019)."""
    duplicate: Share = 0.7
    """Jaccard similarity of word shingles from which on questions and answers are nearly the same."""


def default_recipe() -> SamplingRecipe:
    """The recipe of the service."""
    return SamplingRecipe()


class Context(NamedTuple):
    """What is known about one interaction besides its record."""

    similarity: float
    """Cosine similarity of its question to the most similar earlier one; -1 if there is none."""
    score: float
    """Implicit score; 0 without feedback."""
    feedback: tuple[Feedback, ...]
    """Of each kind and user the latest."""


class Sampled(Record):
    """An interaction that was drawn for annotation."""

    interaction: Interaction
    priority: float
    reasons: tuple[Reason, ...]
    by: Literal["priority", "random"]


class Sample(Record):
    """A drawn sample, with counts of what it was drawn from."""

    drawn: tuple[Sampled, ...]
    candidates: int
    """Interactions to draw from, near duplicates included."""
    duplicates: int
    """Near duplicates that were dropped."""


def is_new_topic(context: Context, recipe: SamplingRecipe) -> bool:
    """Whether no earlier question is similar."""
    return context.similarity < recipe.familiar


def is_engaging(context: Context) -> bool:
    """Whether the user liked the answer or went on: a positive implicit score, or `continued`."""
    return context.score > 0 or _said(context, "continued")


def is_uncertain(interaction: Interaction, recipe: SamplingRecipe) -> bool:
    """Whether the gate was undecided or unsure, or the confidence was near its threshold."""
    measured = interaction.uncertainty
    if measured is None:
        return False
    if measured.decision != "confident":
        return True
    if measured.confidence is None or measured.threshold is None:
        return False
    return abs(measured.confidence - measured.threshold) < recipe.near_threshold


def is_edge_case(interaction: Interaction, context: Context, recipe: SamplingRecipe) -> bool:
    """Whether the model abstained, a user reported it, the sources disagree, or its length is unusual."""
    length = len(interaction.answer.split())
    return (
        interaction.outcome == "abstained"
        or interaction.sources_disagree
        or _said(context, "reported")
        or not recipe.shortest < length < recipe.longest
    )


def _said(context: Context, kind: str) -> bool:
    """Whether there is feedback of this kind that was not taken back (0)."""
    return any(feedback.kind == kind and feedback.value != 0 for feedback in context.feedback)


def reasons_of(interaction: Interaction, context: Context, recipe: SamplingRecipe) -> tuple[Reason, ...]:
    """Why the interaction has priority."""
    tests: dict[Reason, bool] = {
        "new_topic": is_new_topic(context, recipe),
        "engagement": is_engaging(context),
        "uncertainty": is_uncertain(interaction, recipe),
        "edge_case": is_edge_case(interaction, context, recipe),
    }
    return tuple(reason for reason, holds in tests.items() if holds)


def priority_of(reasons: Iterable[Reason], recipe: SamplingRecipe) -> float:
    """The sum of the reasons' weights."""
    return float(sum(getattr(recipe, reason) for reason in reasons))


def draw_sample(
    interactions: Sequence[Interaction],
    *,
    count: int,
    seed: int,
    embedder: Embedder,
    scores: Mapping[str, float],
    feedback: Mapping[str, tuple[Feedback, ...]],
    exclude: Collection[str] = (),
    recipe: SamplingRecipe | None = None,
) -> Sample:
    """Draws at most `count` interactions for annotation. Blocks while the questions are embedded.

    `scores` and `feedback` are by interaction id. Interactions in `exclude` are not drawn, but their topics
    count as known. The same input and seed draw the same sample. Raises ValueError if `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"a sample needs at least one interaction, not {count}")
    recipe = recipe or default_recipe()
    ordered = sorted(interactions, key=lambda each: (each.created_at, each.id))
    similarities = earlier_similarities(embedder.embed([each.question for each in ordered]))
    candidates = []
    for interaction, similarity in zip(ordered, similarities, strict=True):
        if interaction.id in exclude:
            continue
        context = Context(
            similarity=float(similarity),
            score=scores.get(interaction.id, 0.0),
            feedback=feedback.get(interaction.id, ()),
        )
        reasons = reasons_of(interaction, context, recipe)
        priority = priority_of(reasons, recipe)
        candidates.append(Sampled(interaction=interaction, priority=priority, reasons=reasons, by="priority"))
    candidates.sort(key=lambda each: (-each.priority, seeded_draw(seed, "order", each.interaction.id)))
    distinct = without_near_duplicates(candidates, recipe.duplicate)
    return Sample(
        drawn=_stratified(distinct, count, seed, recipe),
        candidates=len(candidates),
        duplicates=len(candidates) - len(distinct),
    )


def earlier_similarities(vectors: Vectors) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """Each unit vector's cosine similarity to the most similar one before it; -1 for the first."""
    similarities = np.full(len(vectors), -1.0, dtype=np.float32)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        block = vectors[start : start + ROWS_AT_ONCE]
        products = block @ vectors[: start + len(block)].T
        for row in range(len(block)):
            if start + row:
                similarities[start + row] = products[row, : start + row].max()
    return similarities


def without_near_duplicates(sampled: Sequence[Sampled], threshold: float) -> tuple[Sampled, ...]:
    """Drops each interaction whose question and answer are both nearly those of one before it.

    Compares shingles of one and two words by MinHash (Broder 1997). A question that was answered in another
    way, or another question with the same answer, is no duplicate.
    """
    from datasketch import MinHashLSH  # takes seconds to import

    index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
    answers: dict[str, MinHash] = {}
    distinct = []
    for each in sampled:
        question, answer = min_hash(each.interaction.question), min_hash(each.interaction.answer)
        if any(answers[name].jaccard(answer) >= threshold for name in index.query(question)):
            continue
        index.insert(each.interaction.id, question)
        answers[each.interaction.id] = answer
        distinct.append(each)
    return tuple(distinct)


def allocate(sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """Splits `total` in proportion to the sizes, by largest remainders, and never more than a size.

    While there are enough, each gets at least one, so that small domains are not left out.
    """
    total = min(total, sum(sizes.values()))
    names = sorted((name for name in sizes if sizes[name]), key=lambda name: (-sizes[name], name))
    shares = {name: 1 if place < total else 0 for place, name in enumerate(names)}
    while (left := total - sum(shares.values())) > 0:
        free = {name: sizes[name] - shares[name] for name in names if sizes[name] > shares[name]}
        exact = {name: left * free[name] / sum(free.values()) for name in free}
        whole = {name: math.floor(exact[name]) for name in free}
        by_remainder = sorted(free, key=lambda name: (whole[name] - exact[name], name))
        for name in by_remainder[: left - sum(whole.values())]:
            whole[name] += 1
        for name, more in whole.items():
            shares[name] += min(more, free[name])
    return shares


def _stratified(
    candidates: Sequence[Sampled], count: int, seed: int, recipe: SamplingRecipe
) -> tuple[Sampled, ...]:
    """Draws from each domain its part of the sample; the candidates are in order of priority."""
    domains: defaultdict[str, list[Sampled]] = defaultdict(list)
    for each in candidates:
        domains[each.interaction.domain].append(each)
    parts = allocate({name: len(group) for name, group in domains.items()}, count)
    by_priority = round(recipe.priority_share * sum(parts.values()))
    first = allocate(parts, by_priority)
    drawn: list[Sampled] = []
    for name in sorted(domains):
        group = domains[name]
        drawn += group[: first[name]]
        rest = sorted(group[first[name] :], key=_by_draw(seed))
        drawn += [each.model_copy(update={"by": "random"}) for each in rest[: parts[name] - first[name]]]
    return tuple(drawn)


def _by_draw(seed: int) -> Callable[[Sampled], float]:
    return lambda each: seeded_draw(seed, "random", each.interaction.id)


def seeded_draw(seed: int, purpose: str, name: str) -> float:
    """A number in [0, 1) that depends on the arguments alone, whatever else is drawn."""
    digest = hashlib.sha256(f"{seed}|{purpose}|{name}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def min_hash(text: str) -> "MinHash":
    """The MinHash of a text's shingles of one and two words."""
    from datasketch import MinHash

    found = words(text)
    shingles = {*found, *(" ".join(found[i : i + 2]) for i in range(len(found) - 1))} or {text.strip()}
    sketch = MinHash(num_perm=PERMUTATIONS)
    sketch.update_batch([shingle.encode() for shingle in sorted(shingles)])
    return sketch

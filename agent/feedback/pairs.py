"""The preference set that a training job learns from, built from the pairs that feedback and annotation give.

Contradictory pairs on one prompt are settled by weight, one user contributes a bounded share, and no prompt
of an evaluation is ever trained.
"""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime

from agent.feedback.pair_sources import Candidate, Evidence, PairRules, candidates
from agent.grading import normalise
from memory.records.base import Domain, Record
from memory.records.feedback import Algorithm, PairOrigin, PreferencePair, PreferenceSet


class PairCounts(Record):
    """What a preference set was built from, and what was left out."""

    by_origin: dict[PairOrigin, int]
    dropped: dict[str, int]
    """By reason."""


class TooFewPairs(ValueError):
    """There are fewer pairs than a set needs."""


def build_set(
    domain: Domain,
    evidence: Evidence,
    *,
    algorithm: Algorithm,
    evaluated: Collection[str],
    minimum: int,
    rules: PairRules,
    since: datetime | None = None,
    until: datetime | None = None,
    further: Sequence[Candidate] = (),
) -> tuple[PreferenceSet, PairCounts]:
    """The preference set of one domain, deterministic by its arguments.

    `evaluated` are the normalised prompts of all evaluations (see `evaluation_prompts`). Only evidence from
    `since` until before `until` counts. `further` pairs, such as a night's revisions, are added to those of
    the evidence, under the same rules. Raises TooFewPairs, with the number found by origin.
    """
    dropped: Counter[str] = Counter()
    found = [*candidates(domain, evidence, rules, dropped, since=since, until=until), *further]
    found = _without_leaks(found, evaluated, dropped)
    most = max(rules.least_per_user, math.ceil(rules.per_user * len(found)))
    found = _bounded_per_user(found, most, dropped)
    compared = _from_single_answers(found) if algorithm in ("dpo", "grpo") else ()
    training = [*(each for each in found if each.pair.trains(algorithm)), *compared]
    others = [each for each in found if not each.pair.trains(algorithm)]
    settled = settle([*_bounded_per_user(training, most, dropped), *others], dropped)
    pairs = [pair for pair in settled if pair.trains(algorithm)]
    if len(pairs) < len(settled):
        dropped[f"lacks an answer that {algorithm} needs"] += len(settled) - len(pairs)
    counts = PairCounts(by_origin=dict(Counter(pair.origin for pair in pairs)), dropped=dict(dropped))
    trained, held_out = split(pairs, rules)
    if len(pairs) < minimum or not held_out:
        raise TooFewPairs(_too_few(len(pairs), minimum, counts))
    preferences = PreferenceSet(
        domain=domain, pairs=trained, held_out=held_out, algorithm=algorithm, until=until
    )
    return preferences, counts


def _without_leaks(
    found: Sequence[Candidate], evaluated: Collection[str], dropped: Counter[str]
) -> list[Candidate]:
    clean = [each for each in found if normalise(each.pair.question) not in evaluated]
    if len(clean) < len(found):
        dropped["its prompt is in an evaluation set"] += len(found) - len(clean)
    return clean


def _bounded_per_user(found: Sequence[Candidate], most: int, dropped: Counter[str]) -> list[Candidate]:
    """The candidates without those by which one user exceeds `most`; the first ones stay."""
    counts: Counter[str] = Counter()
    bounded = []
    for each in found:
        if any(counts[user] >= most for user in each.users):
            dropped["one user gave too much of it"] += 1
            continue
        counts.update(each.users)
        bounded.append(each)
    return bounded


def _from_single_answers(found: Sequence[Candidate]) -> Iterator[Candidate]:
    """Each liked answer over each disliked one to the same conversation; it comes from the users of both."""
    liked: defaultdict[str, list[Candidate]] = defaultdict(list)
    disliked: defaultdict[str, list[Candidate]] = defaultdict(list)
    for each in found:
        if each.pair.rejected is None:
            liked[_conversation(each.pair)].append(each)
        elif each.pair.chosen is None:
            disliked[_conversation(each.pair)].append(each)
    for conversation, good in liked.items():
        for better in good:
            for worse in disliked.get(conversation, ()):
                if _plain(better.pair.chosen) != _plain(worse.pair.rejected):
                    weight = min(better.pair.weight, worse.pair.weight)
                    values = {"rejected": worse.pair.rejected, "weight": weight}
                    yield Candidate(better.pair.model_copy(update=values), better.users | worse.users)


def settle(found: Sequence[Candidate], dropped: Counter[str]) -> list[PreferencePair]:
    """One pair for each two answers to a conversation: the side with more weight in all wins.

    Its weight is the winner's lead, at most 1; a tie drops both sides. Of equal pairs, the heaviest one's
    origin and source stay.
    """
    sides: defaultdict[tuple[str, frozenset[str | None]], defaultdict[str | None, list[PreferencePair]]]
    sides = defaultdict(lambda: defaultdict(list))
    for each in found:
        chosen, rejected = _plain(each.pair.chosen), _plain(each.pair.rejected)
        answers = frozenset((chosen, rejected))
        sides[_conversation(each.pair), answers][chosen].append(each.pair)
    settled = []
    for directions in sides.values():
        totals = sorted(
            ((math.fsum(pair.weight for pair in pairs), side) for side, pairs in directions.items()),
            key=lambda total: -total[0],
        )
        best, against = totals[0], totals[1][0] if len(totals) > 1 else 0.0
        pairs = directions[best[1]]
        if len(totals) > 1:
            dropped["contradicted by others"] += sum(len(each) for each in directions.values()) - len(pairs)
        lead = best[0] - against
        if lead <= 1e-9:
            dropped["contradicted by as much"] += len(pairs)
            continue
        dropped["the same as another"] += len(pairs) - 1
        heaviest = max(pairs, key=lambda pair: pair.weight)
        settled.append(heaviest.model_copy(update={"weight": min(1.0, lead)}))
    dropped += Counter()  # without zeros
    return settled


def split(
    pairs: Sequence[PreferencePair], rules: PairRules
) -> tuple[tuple[PreferencePair, ...], tuple[PreferencePair, ...]]:
    """The trained and the held-out pairs; all pairs whose last message is the same are on one side."""
    prompts = sorted({normalise(pair.question) for pair in pairs}, key=_drawn(rules.seed))
    count = min(len(prompts) - 1, math.ceil(rules.held_out * len(prompts)))
    held_out = set(prompts[: max(0, count)])
    return (
        tuple(pair for pair in pairs if normalise(pair.question) not in held_out),
        tuple(pair for pair in pairs if normalise(pair.question) in held_out),
    )


def evaluation_prompts(texts: Iterable[str]) -> frozenset[str]:
    """The normalised forms of all questions that evaluations ask."""
    return frozenset(map(normalise, texts))


def _drawn(seed: int) -> Callable[[str], bytes]:
    return lambda prompt: hashlib.sha256(f"held out {seed} {prompt}".encode()).digest()


def _plain(answer: str | None) -> str | None:
    return None if answer is None else " ".join(answer.split())


def _conversation(pair: PreferencePair) -> str:
    return "\n".join(f"{each.role}: {normalise(each.content)}" for each in pair.messages)


def _too_few(count: int, minimum: int, counts: PairCounts) -> str:
    origins = ", ".join(f"{n} by {origin}" for origin, n in sorted(counts.by_origin.items())) or "none"
    left_out = "; ".join(f"{n}: {why}" for why, n in sorted(counts.dropped.items()))
    needed = f"{minimum} are needed" if count < minimum else "they need two different prompts at least"
    return (
        f"{count} preference pairs ({origins}), and {needed}: collect more feedback, or build with a lower"
        f" minimum{f'. Left out: {left_out}' if left_out else ''}"
    )

"""Selects the night's golden pairs: verified, different from one another, and some of each topic."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from agent.feedback.sampling import PERMUTATIONS, allocate, min_hash, seeded_draw
from agent.nights.golden.candidates import GoldenCandidate, golden_candidates
from agent.nights.golden.same_question import (
    answers_contradict,
    asks_the_same,
    names_the_same,
    nearly_the_same,
)
from agent.nights.golden.verification import Verifier
from agent.nights.scoring.evidence import ScoringEvidence, stands
from agent.nights.topics.membership import topic_name, topics_of
from memory.embedding.embedder import Embedder
from memory.records.base import Record, digest_of
from memory.records.interactions import Interaction
from memory.records.nights import AnswerScore, GoldenPair, Night, Revision, Topic

if TYPE_CHECKING:
    from datasketch import MinHash  # type: ignore[import-untyped]

ID_DIGITS = 32
LSH_THRESHOLD = 0.6
"""Below the similarity at which texts are nearly the same: the index misses some near its threshold."""


class GoldenContradiction(Record):
    """Two answers to one question of which one must be wrong; neither is taught."""

    pair: GoldenPair
    other: GoldenPair


class GoldenSelection(Record):
    """The night's golden pairs, and what was left out."""

    pairs: tuple[GoldenPair, ...]
    """Best first; to be saved."""
    dropped: dict[str, int]
    """Number of candidates left out, by reason."""
    contradictions: tuple[GoldenContradiction, ...] = ()
    withdrawn: tuple[str, ...] = ()
    """Ids of pairs of earlier nights that a contradiction puts in doubt; to be withdrawn. One that a person
    approved stays."""


class _Sketched(NamedTuple):
    """A pair with the MinHashes of its texts."""

    pair: GoldenPair
    question: "MinHash"
    answer: "MinHash"


def select_golden(
    turns: Sequence[Interaction],
    scores: Mapping[str, AnswerScore],
    revisions: Sequence[Revision],
    topics: Sequence[Topic],
    known: Sequence[GoldenPair],
    *,
    evidence: ScoringEvidence,
    embedder: Embedder,
    night: Night,
    now: datetime,
    seed: int = 0,
) -> GoldenSelection:
    """The golden pairs among the turns' answers and revisions. Blocks: it computes embeddings.

    `known` are the domain's earlier pairs of any status; what this night has saved or withdrawn changes
    nothing, so that a repeated step selects the same. A pair that an earlier night withdrew may come back,
    and speaks against others as long as its source still says what it cites. `evidence` is that of
    `gather_golden_evidence`.
    """
    dropped: Counter[str] = Counter()
    verifier = Verifier(embedder)
    found: list[GoldenCandidate] = []
    for candidate in golden_candidates(turns, scores, revisions, evidence):
        if candidate.turn.domain != night.domain:
            continue
        if reason := verifier.reason_against(candidate):
            dropped[reason] += 1
        else:
            found.append(candidate)
    nearest = topics_of([candidate.question for candidate in found], topics, embedder=embedder)
    names = ["" if topic is None else topic_name(topic) for topic in nearest]
    pairs = [_pair(each, name, night, now) for each, name in zip(found, names, strict=True)]
    pairs.sort(key=lambda pair: (-pair.score, pair.id))
    earlier = [
        pair
        for pair in known
        if pair.night_id != night.id
        and pair.domain == night.domain
        and (not _is_withdrawn(pair, night) or _is_sourced(pair, evidence))
    ]
    distinct, contradictions = _settled(pairs, earlier, night, dropped)
    capped = _capped(distinct, night.options.per_topic, dropped)
    doubtful = {p.id for p in earlier if p.decided_by is None and not _is_withdrawn(p, night)}
    return GoldenSelection(
        pairs=_with_spot_checks(capped, night, seed),
        dropped={reason: count for reason, count in sorted(dropped.items()) if count},
        contradictions=contradictions,
        withdrawn=tuple(dict.fromkeys(each.other.id for each in contradictions if each.other.id in doubtful)),
    )


def _pair(candidate: GoldenCandidate, topic: str, night: Night, now: datetime) -> GoldenPair:
    return GoldenPair(
        id=digest_of([night.domain, candidate.question, candidate.answer])[:ID_DIGITS],
        night_id=night.id,
        domain=night.domain,
        topic=topic,
        form=candidate.form,
        question=candidate.question,
        answer=candidate.answer,
        citations=candidate.citations,
        source=candidate.source,
        score=candidate.score,
        status="approved",
        created_at=now,
    )


def _is_withdrawn(pair: GoldenPair, night: Night) -> bool:
    """Whether an earlier night withdrew the pair."""
    return pair.status == "withdrawn" and pair.withdrawn_by != night.id


def _is_sourced(pair: GoldenPair, evidence: ScoringEvidence) -> bool:
    """Whether what the pair cites still stands in a passage that the night has read."""
    passages = [passage for turn in evidence.turns.values() for passage in turn.passages]
    return bool(pair.citations) and all(stands(citation, passages) for citation in pair.citations)


def _settled(
    pairs: Sequence[GoldenPair], earlier: Sequence[GoldenPair], night: Night, dropped: Counter[str]
) -> tuple[list[GoldenPair], tuple[GoldenContradiction, ...]]:
    """The pairs without duplicates and contradictions, among themselves and with earlier ones; best first."""
    index = _Index([*earlier, *pairs])
    declined = {pair.id for pair in earlier if pair.status == "declined"}
    old = {pair.id for pair in earlier if not _is_withdrawn(pair, night)}
    contradictions: list[GoldenContradiction] = []
    doubted: set[str] = set()
    for pair in pairs:
        for other in index.same_question(pair):
            if other.id not in declined and answers_contradict(pair.answer, other.answer):
                contradictions.append(GoldenContradiction(pair=pair, other=other))
                doubted |= {pair.id, other.id}
    kept: dict[str, GoldenPair] = {}
    for pair in pairs:
        if pair.id in doubted:
            dropped["it contradicts another golden pair"] += 1
        elif any(other.id in declined for other in index.duplicates(pair)):
            dropped["a person declined it"] += 1
        elif pair.id in kept or any(
            other.id in kept or other.id in old for other in index.same_or_duplicate(pair)
        ):
            dropped["it is nearly the same as another golden pair"] += 1
        else:
            kept[pair.id] = pair
    return list(kept.values()), tuple(contradictions)


class _Index:
    """Pairs by their questions' MinHashes."""

    def __init__(self, pairs: Iterable[GoldenPair]) -> None:
        from datasketch import MinHashLSH  # takes seconds to import

        self._sketched = {
            pair.id: _Sketched(pair, min_hash(pair.question), min_hash(pair.answer)) for pair in pairs
        }
        self._questions = MinHashLSH(threshold=LSH_THRESHOLD, num_perm=PERMUTATIONS)
        for id, each in self._sketched.items():
            self._questions.insert(id, each.question)

    def same_question(self, pair: GoldenPair) -> list[GoldenPair]:
        """Other pairs with the same question."""
        own = self._sketched[pair.id]
        return [
            other.pair
            for other in self._near(own)
            if asks_the_same(pair.question, other.pair.question, own.question.jaccard(other.question))
        ]

    def duplicates(self, pair: GoldenPair) -> list[GoldenPair]:
        """The pair itself, and others with nearly the same question and answer."""
        own = self._sketched[pair.id]
        near = [
            other.pair
            for other in self._near(own)
            if names_the_same(pair.question, other.pair.question)
            and nearly_the_same(own.question, other.question)
            and nearly_the_same(own.answer, other.answer)
        ]
        return [own.pair, *near]

    def same_or_duplicate(self, pair: GoldenPair) -> list[GoldenPair]:
        return [*self.same_question(pair), *self.duplicates(pair)]

    def _near(self, own: _Sketched) -> list[_Sketched]:
        ids = sorted(self._questions.query(own.question))
        return [self._sketched[id] for id in ids if id != own.pair.id]


def _capped(pairs: Sequence[GoldenPair], most: int, dropped: Counter[str]) -> list[GoldenPair]:
    """At most so many of each topic, best first; pairs of no topic have nothing in common, so all stay."""
    counts: Counter[str] = Counter()
    kept = []
    for pair in pairs:
        counts[pair.topic] += 1
        if pair.topic and counts[pair.topic] > most:
            dropped["its topic has enough"] += 1
        else:
            kept.append(pair)
    return kept


def _with_spot_checks(pairs: Sequence[GoldenPair], night: Night, seed: int) -> tuple[GoldenPair, ...]:
    """Marks the share that people see, of each topic in proportion; they wait if the options say so."""
    by_topic: defaultdict[str, list[GoldenPair]] = defaultdict(list)
    for pair in pairs:
        by_topic[pair.topic].append(pair)
    number = math.ceil(night.options.spot_check * len(pairs))
    counts = allocate({topic: len(group) for topic, group in by_topic.items()}, number)
    drawn: set[str] = set()
    for topic, group in by_topic.items():
        ranked = sorted(group, key=lambda pair: seeded_draw(seed, f"spot check {night.id}", pair.id))
        drawn |= {pair.id for pair in ranked[: counts.get(topic, 0)]}
    status = "waiting" if night.options.hold_spot_checks else "approved"
    return tuple(
        pair.model_copy(update={"spot_check": True, "status": status}) if pair.id in drawn else pair
        for pair in pairs
    )

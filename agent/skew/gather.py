"""Reads what a domain learned and what it is asked, and measures the skew of it."""

import asyncio
import logging
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from agent.nights.topics.membership import topic_name, topics_of
from agent.skew.measure import measure_aspect
from agent.skew.records import SkewReport
from memory.adapters.base import AdapterRegistry
from memory.embedding.embedder import Embedder
from memory.errors import CorruptRecord, UnknownRun
from memory.feedback.annotations import Annotations
from memory.feedback.interactions import InteractionLog
from memory.ingest.language import language_of
from memory.nights.store import NightStore
from memory.outbox.base import Outbox
from memory.records.access import Access
from memory.records.base import Domain
from memory.records.curricula import QAPair
from memory.records.interactions import Interaction
from memory.records.knowledge import Fact
from memory.records.nights import Topic

log = logging.getLogger(__name__)

MAX_TURNS = 2000
"""Turns that are compared with; of more, the newest. Embedding as many questions takes some ten seconds."""
MAX_FACTS = 2000
"""Facts whose topics are looked for, the latest lessons first."""


class SkewStores(NamedTuple):
    """What skew is read from."""

    registry: AdapterRegistry
    outbox: Outbox
    log: InteractionLog
    nights: NightStore
    annotations: Annotations
    embedder: Embedder


class _Learned(NamedTuple):
    """A fact of the live adapter's lessons, with one of its questions."""

    fact: Fact
    question: str


class Compute(Protocol):
    """Runs a long computation where it keeps nobody else waiting."""

    async def __call__(self, compute: Callable[[], SkewReport], /) -> SkewReport: ...


async def in_thread(compute: Callable[[], SkewReport], /) -> SkewReport:
    """Runs it in a thread of the event loop's, for processes that serve nobody."""
    return await asyncio.to_thread(compute)


async def gather_skew(
    domain: Domain,
    stores: SkewStores,
    *,
    since: datetime,
    until: datetime,
    access: Access,
    owner: str | None = None,
    compute: Compute = in_thread,
) -> SkewReport:
    """The skew of what the domain's live adapter knows, by what was asked and judged in the period.

    Counts only what `access` may read, and with `owner` only the turns of that owner. Users and annotators
    are numbered: the report names nobody. Raises StoreUnavailable.
    """
    if not access.may_use(domain):
        return SkewReport(domain=domain, since=since, until=until)
    learned = [each for each in await _lessons(domain, stores) if _may_read(access, each.fact)]
    turns = await _questions(domain, stores.log, since, until, access, owner)
    topics = await stores.nights.topics(domain=domain, access=access)
    golden = await _golden_users(domain, stores.nights, {turn.id: turn for turn in turns}, access)
    judgements = () if owner else await stores.annotations.judgements(domain=domain, since=since, until=until)
    annotators = Counter(each.annotator for each in judgements if each.choice != "skip")

    def measure() -> SkewReport:
        users = Counter(turn.user for turn in turns if turn.user is not None)
        return SkewReport(
            domain=domain,
            since=since,
            until=until,
            aspects=(
                measure_aspect(
                    "sources",
                    Counter(each.fact.source for each in learned),
                    Counter(source for turn in turns for source in {c.source for c in turn.citations}),
                ),
                measure_aspect(
                    "topics",
                    _by_topic([each.question for each in learned[:MAX_FACTS]], topics, stores.embedder),
                    _by_topic([turn.question for turn in turns], topics, stores.embedder),
                ),
                measure_aspect("languages", _languages_learned(learned), _languages_asked(turns)),
                measure_aspect("users", *_numbered("user", golden, users)),
                measure_aspect("annotators", *_numbered("annotator", annotators, {})),
            ),
        )

    return await compute(measure)


async def _lessons(domain: Domain, stores: SkewStores) -> list[_Learned]:
    """Each fact that the live adapter was taught, latest lessons first; an unreadable lesson is logged."""
    live = await asyncio.to_thread(stores.registry.live, domain)
    found: dict[str, _Learned] = {}
    for digest in reversed(() if live is None else live.learned):
        try:
            lesson = await stores.outbox.curriculum(digest)
        except (UnknownRun, CorruptRecord) as error:
            log.warning("the curriculum %s cannot be read: %s", digest[:12], error)
            continue
        questions: Mapping[str, QAPair] = {pair.fact_id: pair for pair in reversed(lesson.pairs)}
        for fact in lesson.facts:
            if fact.id in questions:
                found.setdefault(fact.id, _Learned(fact, questions[fact.id].question))
    return list(found.values())


def _may_read(access: Access, fact: Fact) -> bool:
    """Whether the fact's document may be read; what one user stated is nobody else's."""
    return fact.said_by is None and access.may_read(fact.owner, fact.domain)


async def _questions(
    domain: Domain,
    log: InteractionLog,
    since: datetime,
    until: datetime,
    access: Access,
    owner: str | None,
) -> tuple[Interaction, ...]:
    """The newest questions of the period whose citations may be read, oldest first."""
    newest: deque[Interaction] = deque(maxlen=MAX_TURNS)
    async for page in log.stream(since, until, domain=domain, owner=owner):
        newest.extend(t for t in page if t.intent == "question" and access.may_quote(t.citations))
    return tuple(newest)


async def _golden_users(
    domain: Domain, nights: NightStore, turns: Mapping[str, Interaction], access: Access
) -> Counter[str]:
    """Approved golden pairs by the user whose turn they come from."""
    pairs = await nights.golden(domain=domain, status="approved", access=access)
    turn_of = {each.id: each.interaction_id for each in await nights.revisions(domain=domain, access=access)}
    asked = (turns.get(turn_of.get(pair.source, pair.source)) for pair in pairs)
    return Counter(turn.user for turn in asked if turn is not None and turn.user is not None)


def _by_topic(questions: Sequence[str], topics: Sequence[Topic], embedder: Embedder) -> Counter[str]:
    """Questions by the nearest topic of any night; those that are near to none are left out."""
    found = topics_of(questions, topics, embedder=embedder)
    return Counter(topic_name(topic) for topic in found if topic is not None)


def _languages_learned(learned: Iterable[_Learned]) -> Counter[str]:
    """Facts by the language of their document, as far as it was learned."""
    sentences: defaultdict[str, list[str]] = defaultdict(list)
    for each in learned:
        sentences[each.fact.source].append(each.fact.sentence)
    counts: Counter[str] = Counter()
    for texts in sentences.values():
        counts[language_of(" ".join(texts))] += len(texts)
    return counts


def _languages_asked(turns: Iterable[Interaction]) -> Counter[str]:
    """Questions by language. A user's are read together: a short one alone looks like any language."""
    questions: defaultdict[str, list[str]] = defaultdict(list)
    for turn in turns:
        questions[turn.user or turn.id].append(turn.question)
    counts: Counter[str] = Counter()
    for texts in questions.values():
        counts[language_of(" ".join(texts))] += len(texts)
    return counts


def _numbered(
    noun: str, learned: Mapping[str, int], asked: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    """Both counts with numbers for names, the most frequent first."""
    people = sorted({*learned, *asked}, key=lambda who: (-learned.get(who, 0), -asked.get(who, 0), who))
    names = {who: f"{noun} {number}" for number, who in enumerate(people, start=1)}
    one, other = ({names[who]: count for who, count in counts.items()} for counts in (learned, asked))
    return one, other

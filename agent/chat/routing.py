"""Routing: chooses the domain, and with it the adapter and gate, that answers a question.

An explicit model name wins; otherwise the question is compared with what live adapters were taught, first by
words, then by embeddings.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping, Sequence

from memory.adapters.base import AdapterRegistry, base_mismatch, promotion_blocker
from memory.adapters.calibrations import (
    Calibration,
    CalibrationStore,
    VolatileCalibrationStore,
    digest_of_gate,
)
from memory.embedding.embedder import Embedder, Vectors
from memory.errors import AdapterNotServable, CorruptRecord, UnknownAdapter, UnknownRun
from memory.language.content_words import content_words, coverage, occurs, stems
from memory.language.text import singular
from memory.language.wordlists import common_words
from memory.records.access import Access
from memory.records.adapters import Adapter
from memory.records.base import Digest, Record
from memory.records.curricula import Curriculum
from memory.records.interactions import AnswerGate
from memory.records.knowledge import Fact

log = logging.getLogger(__name__)

DEFAULT_DOMAIN = "general"
AUTO = "auto"
MIN_QUOTED_SHARE = 0.7
"""Share of an answer's content words that a reverse question ("which term means ...?") has to contain."""
MIN_QUOTED_WORDS = 2
"""Minimum content words of a quoted answer: one shared word does not identify a domain."""
MIN_SIMILARITY = 0.4
"""Minimum cosine similarity to a lesson's sentence for a question that names none of its subjects. Of 32
questions that people would ask about a page, 78% reach it; of 1,200 general ones .25%."""


class Route(Record):
    """The domain and adapter (None: the base model) that answer a question, with their gate."""

    domain: str
    adapter: str | None
    gate: AnswerGate
    taught: bool = True
    """False for an adapter that learned no lesson: it was trained on preferences, so that nothing of what it
    says can be a lesson mixed up."""


class LiveAdapter(Record):
    """A live adapter's route with what it was taught: subjects, answers' content words, source sentences."""

    route: Route
    subjects: tuple[str, ...]
    answers: tuple[tuple[str, ...], ...]
    sentences: tuple[str, ...] = ()


class Routes:
    """Cached live adapters of all domains, refreshed after each promotion so that chat never waits."""

    def __init__(
        self,
        registry: AdapterRegistry,
        curriculum: Callable[[Digest], Curriculum],
        calibrations: CalibrationStore | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        """`curriculum` reads a published curriculum, and may block.

        Without `calibrations` they are kept in memory; without an `embedder` questions match by words only.
        """
        self.registry = registry
        self._curriculum = curriculum
        self._calibrations = calibrations if calibrations is not None else VolatileCalibrationStore()
        self._live: Mapping[str, LiveAdapter] = {}
        self._embedder = embedder
        self._sentence_vectors: Mapping[str, Vectors] = {}
        """By the name of the live adapter."""
        self._gates: Mapping[tuple[str, str | None], Mapping[Digest, AnswerGate]] = {}
        """By domain and adapter, then by the digest of the gate that each replaces."""
        self._live_names: Mapping[str, str] = {}
        """All live adapters at the last refresh, those of other base models too."""
        self._refreshing = asyncio.Lock()

    async def refresh(self) -> None:
        """Reads the live adapters, the curricula each was taught, and the calibrations.

        An unreadable curriculum is logged; its questions then reach the adapter only by the domain's name.
        Refreshes run one after another, so that an older one never overwrites newer state.
        """
        async with self._refreshing:
            await self._refresh()

    async def refresh_if_changed(self) -> bool:
        """Refreshes if another process moved an alias; returns whether one did."""
        names = await asyncio.to_thread(self.registry.live_names)
        if names == self._live_names:
            return False
        await self.refresh()
        return True

    async def _refresh(self) -> None:
        names = await asyncio.to_thread(self.registry.live_names)  # first: later changes are then noticed
        calibrations = await asyncio.to_thread(self._calibrations.list)
        gates: dict[tuple[str, str | None], dict[Digest, AnswerGate]] = {}
        for calibration in calibrations:
            if calibration.base == self.base:
                key = (calibration.domain, calibration.adapter)
                gates.setdefault(key, {})[calibration.replaces] = calibration.gate
        self._gates = gates
        adapters = await asyncio.to_thread(self.registry.list)
        usable = [a for a in adapters if a.status == "live" and base_mismatch(a, self.registry) is None]
        live = {a.domain: await self._read_live_adapter(a) for a in usable}
        if self._embedder is not None:
            texts = {t.route.adapter: t.sentences for t in live.values() if t.route.adapter and t.sentences}
            self._sentence_vectors = {
                name: self._sentence_vectors[name]
                if name in self._sentence_vectors
                else await asyncio.to_thread(self._embedder.embed, sentences)
                for name, sentences in texts.items()
            }
        self._live, self._live_names = live, names

    async def _read_live_adapter(self, adapter: Adapter) -> LiveAdapter:
        facts: list[Fact] = []
        for digest in adapter.learned:
            try:
                facts += (await asyncio.to_thread(self._curriculum, digest)).facts
            except (CorruptRecord, UnknownRun) as error:
                log.error("%s is not routed by the curriculum %s: %s", adapter.name, digest[:12], error)
        return live_adapter(adapter, facts)

    @property
    def live(self) -> Mapping[str, LiveAdapter]:
        """By domain, as of the last refresh."""
        return self._live

    @property
    def base(self) -> Digest | None:
        """Digest of the served base model, if the registry knows it."""
        return self.registry.base

    def usable(self, access: Access) -> Mapping[str, LiveAdapter]:
        """The live adapters of the domains that a caller may use."""
        return {domain: each for domain, each in self._live.items() if access.may_use(domain)}

    async def by_meaning(self, question: str, access: Access) -> Route | None:
        """The usable route whose lessons have the most similar sentence, if it is similar enough."""
        routes = {each.route.adapter: each.route for each in self.usable(access).values()}
        sentence_vectors = {name: each for name, each in self._sentence_vectors.items() if name in routes}
        if self._embedder is None or not sentence_vectors or not question.strip():
            return None
        (query,) = await asyncio.to_thread(self._embedder.embed, [question])
        similarity = {name: float((vectors @ query).max()) for name, vectors in sentence_vectors.items()}
        nearest = max(sorted(similarity), key=lambda name: similarity[name])
        if similarity[nearest] < MIN_SIMILARITY:
            return None
        return routes[nearest]

    async def recalibrate(self, calibration: Calibration) -> None:
        """Stores the calibration and uses its gate for the domain from now on."""
        await asyncio.to_thread(self._calibrations.save, calibration)
        await self.refresh()

    def fallback(self, base: Route, access: Access) -> Route:
        """The route of what is routed nowhere else: the live adapter of the default domain, if it was trained
        on preferences alone and the caller may use it, and otherwise the base model."""
        live = self.usable(access).get(base.domain)
        return base if live is None or live.route.taught else live.route

    def calibrated(self, route: Route) -> Route:
        """The route with its recalibrated gate, if it has one.

        `route` carries the gate of the adapter's record or the model's card, which the calibration replaces.
        """
        gates = self._gates.get((route.domain, route.adapter))
        gate = gates.get(digest_of_gate(route.gate)) if gates else None
        return route if gate is None else route.model_copy(update={"gate": gate})

    async def of_version(self, name: str, access: Access) -> Route:
        """The route of one adapter version. Raises what `servable` raises."""
        adapter = await asyncio.to_thread(self.registry.get, name)
        if not access.may_use(adapter.domain):
            raise UnknownAdapter(f"no adapter {name}")
        return route_of(await self.servable(name))

    async def servable(self, name: str) -> Adapter:
        """The registered adapter. Raises UnknownAdapter and AdapterNotServable.

        The latter if it was rejected, or is no longer live and was trained on quarantined facts.
        """
        adapter = await asyncio.to_thread(self.registry.get, name)
        if adapter.status == "rejected":
            raise AdapterNotServable(f"{name} was rejected by evaluation and is never served")
        if adapter.status != "live":
            blocker = await asyncio.to_thread(promotion_blocker, adapter, self.registry)
            if blocker is not None:
                raise AdapterNotServable(blocker)
        return adapter


def domain_name(text: str) -> str:
    """Turns free text into a domain name of at most 40 characters (`Rust ownership` -> `rust-ownership`).

    Raises ValueError when nothing usable is left.
    """
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")
    if not name:
        raise ValueError(f"{text!r} gives no domain name: use letters or digits")
    return name


def route_of(adapter: Adapter) -> Route:
    """The route to an adapter."""
    return Route(
        domain=adapter.domain,
        adapter=adapter.name,
        gate=adapter.gate,
        taught=bool(adapter.learned),
    )


def live_adapter(adapter: Adapter, facts: Sequence[Fact]) -> LiveAdapter:
    """The adapter with what identifies its questions."""
    return LiveAdapter(
        route=route_of(adapter),
        subjects=tuple(dict.fromkeys(fact.subject for fact in facts if _is_distinctive(fact))),
        answers=tuple(dict.fromkeys(content_words(fact.object) for fact in facts)),
        sentences=tuple(dict.fromkeys(fact.sentence for fact in facts)),
    )


def _is_distinctive(fact: Fact) -> bool:
    """Whether the fact's subject alone identifies a question: a name, several words, or a rare word."""
    name = re.sub(r"^(?:the|an?) ", "", fact.subject)
    return " " in name or not name.islower() or singular(name) not in common_words()


def choose_by_words(question: str, live: Sequence[LiveAdapter], base: Route) -> Route:
    """The route that was taught the longest phrase of the question; `base` if none was.

    The words of a named subject count, and for reverse questions those of a quoted answer (at least 0.7 of
    two or more content words). On a tie the first domain wins.
    """
    best, route = 0, base
    for candidate in live:
        named = max((len(stems(s)) for s in candidate.subjects if occurs(s, question)), default=0)
        quoted = max(
            (
                len(answer)
                for answer in candidate.answers
                if len(answer) >= MIN_QUOTED_WORDS and coverage(answer, question) >= MIN_QUOTED_SHARE
            ),
            default=0,
        )
        if max(named, quoted) > best:
            best, route = max(named, quoted), candidate.route
    return route


async def resolve_route(
    question: str, requested: str | None, *, routes: Routes, base: Route, base_name: str, access: Access
) -> Route:
    """Resolves a request's model name: `auto` or None, the base model, a domain, or an adapter version.

    The base model's name always means the bare base model. Adapters of domains that the caller may not use
    count as unknown.

    The route has its recalibrated gate, if any. Raises UnknownAdapter for any other name.
    """
    return routes.calibrated(await _uncalibrated_route(question, requested, routes, base, base_name, access))


def route_of_domain(domain: str, *, routes: Routes, base: Route) -> Route:
    """The domain's current route, with the gate of the adapter's record or the model's card.

    Raises UnknownAdapter for a domain that has no live adapter and is not the base model's.
    """
    if domain in routes.live:
        return routes.live[domain].route
    if domain == base.domain:
        return base
    known = ", ".join(dict.fromkeys([base.domain, *routes.live]))
    raise UnknownAdapter(f"no live adapter for the domain {domain!r}: use one of {known}")


async def _uncalibrated_route(
    question: str, requested: str | None, routes: Routes, base: Route, base_name: str, access: Access
) -> Route:
    usable = routes.usable(access)
    if requested is None or requested == AUTO:
        fallback = routes.fallback(base, access)
        by_words = choose_by_words(question, tuple(usable.values()), fallback)
        return by_words if by_words != fallback else await routes.by_meaning(question, access) or fallback
    if requested == base_name:
        return base
    if requested in usable:
        return usable[requested].route
    try:
        return await routes.of_version(requested, access)
    except UnknownAdapter:
        known = ", ".join([AUTO, base_name, *usable])
        raise UnknownAdapter(f"no model {requested!r}: use {known}, or an adapter's full name") from None

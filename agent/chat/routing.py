"""Routing: the domain, and with it the adapter and gate, that a question is answered by.

An explicit name wins; else the words that live adapters were taught decide. No model is asked.
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
from memory.errors import AdapterNotServable, CorruptRecord, UnknownAdapter, UnknownRun
from memory.language.terms import content, coverage, occurs, stems
from memory.language.text import singular
from memory.language.wordlists import common_words
from memory.records.adapters import Adapter
from memory.records.base import Digest, Record
from memory.records.curricula import Curriculum
from memory.records.interactions import AnswerGate
from memory.records.knowledge import Fact
from memory.retrieval.embedding import Embedder, Vectors

log = logging.getLogger(__name__)

DEFAULT_DOMAIN = "general"
AUTO = "auto"
QUOTED = 0.7
"""Share of an answer's content words that a reverse question ("which term means ...?") has to quote."""
IDENTIFYING = 2
"""A quoted answer needs this many content words: one shared word is no sign of a domain."""
MEANT = 0.4
"""Least cosine similarity to a sentence of a lesson for a question that names none of its subjects. Of 32
questions that people would ask about a page 78% come as near to one of its sentences, of 1,200 general ones
.25%."""


class Route(Record):
    """Where a question goes, and the gate that belongs there."""

    domain: str
    adapter: str | None
    gate: AnswerGate


class LiveAdapter(Record):
    """A live adapter's route with what it was taught: subjects, and the content words of each answer, and
    the sentences behind them."""

    route: Route
    subjects: tuple[str, ...]
    answers: tuple[tuple[str, ...], ...]
    sentences: tuple[str, ...] = ()


class Routes:
    """The live adapters of all domains, read once and again after each promotion: chat must not wait."""

    def __init__(
        self,
        registry: AdapterRegistry,
        curriculum: Callable[[Digest], Curriculum],
        calibrations: CalibrationStore | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        """`curriculum` reads a published one back, and may block. Without `calibrations` they last as long
        as this object; without an `embedder` only words tell what a question is about."""
        self._registry = registry
        self._curriculum = curriculum
        self._calibrations = calibrations if calibrations is not None else VolatileCalibrationStore()
        self._live: Mapping[str, LiveAdapter] = {}
        self._embedder = embedder
        self._meanings: Mapping[str, Vectors] = {}
        """Of the sentences behind each live adapter, by its name."""
        self._gates: Mapping[tuple[str, str | None], Mapping[Digest, AnswerGate]] = {}
        """By domain and adapter, then by the digest of the gate that each replaces."""
        self._refreshing = asyncio.Lock()

    async def refresh(self) -> None:
        """Reads the registry's aliases, all curricula that each live adapter knows, and the calibrations.

        A curriculum that cannot be read is logged: its questions then reach the adapter only by its domain's
        name. One refresh follows another, so that what was read first never takes the place of newer state.
        """
        async with self._refreshing:
            await self._refresh()

    async def _refresh(self) -> None:
        calibrations = await asyncio.to_thread(self._calibrations.list)
        gates: dict[tuple[str, str | None], dict[Digest, AnswerGate]] = {}
        for each in calibrations:
            if each.base == self.base:
                gates.setdefault((each.domain, each.adapter), {})[each.replaces] = each.gate
        self._gates = gates
        adapters = await asyncio.to_thread(self._registry.list)
        served = [a for a in adapters if a.status == "live" and base_mismatch(a, self._registry) is None]
        live = {a.domain: await self._taught(a) for a in served}
        if self._embedder is not None:
            names = {t.route.adapter: t.sentences for t in live.values() if t.route.adapter and t.sentences}
            self._meanings = {
                name: self._meanings[name]
                if name in self._meanings
                else await asyncio.to_thread(self._embedder.embed, sentences)
                for name, sentences in names.items()
            }
        self._live = live

    async def _taught(self, adapter: Adapter) -> LiveAdapter:
        facts: list[Fact] = []
        for digest in (*adapter.rehearsed, adapter.curriculum):
            try:
                facts += (await asyncio.to_thread(self._curriculum, digest)).facts
            except (CorruptRecord, UnknownRun) as error:
                log.error("%s gets no question by the words of %s: %s", adapter.name, digest[:12], error)
        return live_adapter(adapter, facts)

    @property
    def live(self) -> Mapping[str, LiveAdapter]:
        """By domain, as of the last refresh."""
        return self._live

    @property
    def base(self) -> Digest | None:
        """Digest of the base model that is served, where the registry knows it."""
        return self._registry.base

    async def meant(self, question: str) -> Route | None:
        """The route whose lesson has the sentence nearest in meaning, if any is near enough."""
        meanings = self._meanings
        if self._embedder is None or not meanings or not question.strip():
            return None
        (asked,) = await asyncio.to_thread(self._embedder.embed, [question])
        nearness = {name: float((vectors @ asked).max()) for name, vectors in meanings.items()}
        nearest = max(sorted(nearness), key=lambda name: nearness[name])
        if nearness[nearest] < MEANT:
            return None
        return next((t.route for t in self._live.values() if t.route.adapter == nearest), None)

    async def recalibrate(self, calibration: Calibration) -> None:
        """Keeps the calibration, and judges the domain's answers by it from now on."""
        await asyncio.to_thread(self._calibrations.save, calibration)
        await self.refresh()

    def calibrated(self, chosen: Route) -> Route:
        """The route with the gate that people's own questions gave it, if any did.

        `chosen` has the gate of the adapter's record or the model's card, which tells what was refitted.
        """
        gates = self._gates.get((chosen.domain, chosen.adapter))
        gate = gates.get(digest_of_gate(chosen.gate)) if gates else None
        return chosen if gate is None else chosen.model_copy(update={"gate": gate})

    async def named(self, name: str) -> Route:
        """The route of one adapter version. Raises what `servable` does."""
        adapter = await self.servable(name)
        return route_of(adapter)

    async def servable(self, name: str) -> Adapter:
        """The adapter as registered. Raises UnknownAdapter, and AdapterNotServable if rejected, or if it
        learned what is in quarantine and is live no more."""
        adapter = await asyncio.to_thread(self._registry.get, name)
        if adapter.status == "rejected":
            raise AdapterNotServable(f"{name} was rejected by its gates and is never served")
        if adapter.status != "live":
            blocker = await asyncio.to_thread(promotion_blocker, adapter, self._registry)
            if blocker is not None:
                raise AdapterNotServable(blocker)
        return adapter


def domain_name(text: str) -> str:
    """Turns free text into a domain name of at most 40 characters (`Rust ownership` -> `rust-ownership`).

    Raises ValueError when nothing usable is left.
    """
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")
    if not name:
        raise ValueError(f"no domain name can be made from {text!r}: use letters or digits")
    return name


def route_of(adapter: Adapter) -> Route:
    """The route to an adapter."""
    return Route(
        domain=adapter.domain,
        adapter=adapter.name,
        gate=adapter.gate,
    )


def live_adapter(adapter: Adapter, facts: Sequence[Fact]) -> LiveAdapter:
    """What the adapter can be recognised by in a question."""
    return LiveAdapter(
        route=route_of(adapter),
        subjects=tuple(dict.fromkeys(fact.subject for fact in facts if _tells(fact))),
        answers=tuple(dict.fromkeys(content(fact.object) for fact in facts)),
        sentences=tuple(dict.fromkeys(fact.sentence for fact in facts)),
    )


def _tells(fact: Fact) -> bool:
    """Whether its subject alone tells what a question is about: a name, several words, or a rare one."""
    name = re.sub(r"^(?:the|an?) ", "", fact.subject)
    return " " in name or not name.islower() or singular(name) not in common_words()


def choose_by_words(question: str, live: Sequence[LiveAdapter], base: Route) -> Route:
    """The domain that was taught the longest phrase of the question; `base` where none was.

    Words of a named subject count fully; a quoted answer (at least 0.7 of two or more content words) counts
    its words too, for reverse questions. On a tie the domain that comes first keeps it.
    """
    best, route = 0, base
    for candidate in live:
        named = max((len(stems(s)) for s in candidate.subjects if occurs(s, question)), default=0)
        quoted = max(
            (
                len(answer)
                for answer in candidate.answers
                if len(answer) >= IDENTIFYING and coverage(answer, question) >= QUOTED
            ),
            default=0,
        )
        if max(named, quoted) > best:
            best, route = max(named, quoted), candidate.route
    return route


async def resolve_route(
    question: str, requested: str | None, *, routes: Routes, base: Route, base_name: str
) -> Route:
    """Resolves a request's model name: `auto` or None, the base model, a domain, or an adapter version.

    The gate is the one of `Routes.calibrated`. Raises UnknownAdapter for any other name.
    """
    return routes.calibrated(await _found(question, requested, routes, base, base_name))


def route_of_domain(domain: str, *, routes: Routes, base: Route) -> Route:
    """The route by which the domain is answered now, its gate that of the adapter's record or model's card.

    Raises UnknownAdapter for a domain without a live adapter that is not the base model's either.
    """
    if domain in routes.live:
        return routes.live[domain].route
    if domain == base.domain:
        return base
    known = ", ".join(dict.fromkeys([base.domain, *routes.live]))
    raise UnknownAdapter(f"no live adapter serves the domain {domain!r}: name one of {known}")


async def _found(question: str, requested: str | None, routes: Routes, base: Route, base_name: str) -> Route:
    if requested is None or requested == AUTO:
        named = choose_by_words(question, tuple(routes.live.values()), base)
        return named if named != base else await routes.meant(question) or base
    if requested == base_name:
        return base
    if requested in routes.live:
        return routes.live[requested].route
    try:
        return await routes.named(requested)
    except UnknownAdapter:
        known = ", ".join([AUTO, base_name, *routes.live])
        raise UnknownAdapter(f"no model {requested!r}: ask for {known}, or an adapter's full name") from None

"""One case: a kind of fault, of one process, while one step of some work begins."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, zip_longest
from typing import NamedTuple

import httpx

from agent.chat.routing import DEFAULT_DOMAIN
from tests.faults import invariants, work
from tests.faults.fault import DOWN, KINDS, SECONDS, TARGETS, Kind, fault
from tests.faults.invariants import Violation
from tests.faults.machine import missing
from tests.faults.service import NotStarted, Process, Service

REACH_SECONDS = 25.0
"""Within which the step must begin."""
END_SECONDS = 60.0
"""Within which the work must end once the fault is healed."""
READY_SECONDS = 30.0
DOWN_SECONDS = 12.0
"""Within which /readyz must notice: its own limit for a part that does not answer is five seconds."""
SAMPLE_SECONDS = 0.1


class Case(NamedTuple):
    """What is broken, and when."""

    kind: Kind
    process: Process
    work: str
    step: str

    def __str__(self) -> str:
        return f"{self.kind} of {self.process} at {self.work}/{self.step}"


@dataclass
class Outcome:
    """What came of a case."""

    case: Case
    seconds: float = 0.0
    reached: bool = False
    recovery: float = 0.0
    """Seconds from healing to readiness."""
    ended: str = ""
    violations: list[Violation] = field(default_factory=list)


@dataclass(frozen=True)
class Prepared:
    """What a service was taught before its cases."""

    adapter: str
    """The live adapter of `domain`, for promotions."""
    domain: str
    day: str
    """The domain that nights go over."""
    questions: tuple[str, ...]
    since: str


def all_cases() -> tuple[Case, ...]:
    """Every fault of every process at every step, as far as it can be made on this machine."""
    kinds = [kind for kind in KINDS if missing(kind) is None]
    return tuple(
        Case(kind, process, name, step)
        for kind in kinds
        for process in TARGETS[kind]
        for name, steps in work.STEPS.items()
        for step in steps
    )


def arranged(cases: Sequence[Case], seed: int) -> tuple[Case, ...]:
    """The cases in an order in which the first ones are of all kinds, processes and work alike."""
    dice = random.Random(seed)
    groups: dict[tuple[str, str, str], list[Case]] = {}
    for each in cases:
        groups.setdefault((each.kind, each.process, each.work), []).append(each)
    for group in groups.values():
        dice.shuffle(group)
    queues = list(groups.values())
    dice.shuffle(queues)
    return tuple(each for each in chain.from_iterable(zip_longest(*queues)) if each is not None)


async def prepare(client: work.Client, number: int) -> Prepared:
    """Teaches a new service something, and has a day of questions."""
    title, domain = await work.ingest(client, number, END_SECONDS)
    status = await work.learn_topic(client, title, domain, END_SECONDS)
    adapters = await client.get("/v1/adapters", params={"domain": domain})
    if not adapters:
        raise NotStarted(f"the first lesson was not learned: {status}")
    since = datetime.now(UTC).isoformat()
    # Of the domain of questions that match no adapter.
    _, day = await work.ingest(client, number + 1, END_SECONDS, domain=DEFAULT_DOMAIN)
    questions = tuple(
        f"What is a {work.word((number + 1) * 8 + place)}er?" for place in range(len(work.WHATS))
    )
    for question in questions:
        await work.chat(client, question, END_SECONDS)
    return Prepared(adapters[0]["name"], domain, day, questions, since)


async def run(service: Service, client: work.Client, case: Case, number: int, prepared: Prepared) -> Outcome:
    """Runs a case on a service that is ready; the number makes its documents and questions new."""
    outcome = Outcome(case)
    begun = time.monotonic()
    observed: set[tuple[str, str | None, str]] = set()
    watching = asyncio.create_task(_watch(service, observed))
    over = asyncio.Event()
    supervising: asyncio.Task[None] | None = None
    service.hold.set(case.step)
    doing = asyncio.create_task(_work(client, case, number, prepared))
    try:
        outcome.reached = await _reached(service, doing)
        async with fault(service, case.kind, case.process, number):
            service.hold.go()
            await _during(service, client, case, outcome, number)
        healed = time.monotonic()
        supervising = asyncio.create_task(_supervise(service, over))
        if not await _becomes(service, ready=True, seconds=READY_SECONDS):
            text = await _readiness(service)
            outcome.violations.append(Violation("ready", f"not ready {READY_SECONDS:.0f} s after: {text}"))
        outcome.recovery = time.monotonic() - healed
        outcome.ended = await asyncio.wait_for(doing, END_SECONDS) or "done"
    except (work.Refused, NotStarted, TimeoutError) as error:
        outcome.violations.append(Violation("ends", f"{type(error).__name__}: {error}"))
    finally:
        service.hold.clear()
        over.set()
        for task in (doing, watching):
            task.cancel()
        _, watched = await asyncio.gather(doing, watching, return_exceptions=True)
        if supervising is not None:
            outcome.violations += await supervising
    if isinstance(watched, Exception):
        raise watched  # who does not look finds nothing
    outcome.violations += invariants.ungated(observed)
    outcome.violations += await _checked(service, client)
    outcome.seconds = time.monotonic() - begun
    return outcome


async def _work(client: work.Client, case: Case, number: int, prepared: Prepared) -> str | None:
    """The case's work, done until it succeeds or cannot."""
    match case.work:
        case "chat":
            question = {
                "converse": "Hello, how are you?",
                "check": prepared.questions[0],
                "consult": prepared.questions[number % len(prepared.questions)],
            }.get(case.step, f"What is a {work.word(number + 1000)}ist?")
            ways = (work.chat, work.stream, work.converse)
            await ways[number % len(ways)](client, question, END_SECONDS)
        case "ingest":
            await work.ingest(client, number, END_SECONDS)
        case "learn":
            return await work.learn(client, number, END_SECONDS)
        case "promotion":
            await work.promotion(client, prepared.domain, prepared.adapter, END_SECONDS)
        case "night":
            return await work.night(client, prepared.day, prepared.since, END_SECONDS)
    return None


async def _reached(service: Service, doing: "asyncio.Task[str | None]") -> bool:
    """Whether the step began before the work was over."""
    deadline = time.monotonic() + REACH_SECONDS
    while not doing.done() and time.monotonic() < deadline:
        if service.hold.reached() is not None:
            return True
        await asyncio.sleep(0.01)
    return service.hold.reached() is not None


async def _during(service: Service, client: work.Client, case: Case, outcome: Outcome, number: int) -> None:
    """What clients do meanwhile: they look at readiness, and ask."""
    started = time.monotonic()
    if (case.kind, case.process) in DOWN and not await _becomes(service, ready=False, seconds=DOWN_SECONDS):
        outcome.violations.append(Violation("ready", f"ready during the {case.kind} of {case.process}"))
    question = f"What is a {work.word(number + 5000)}ism?"
    with suppress(work.Refused, TimeoutError):
        await asyncio.wait_for(work.chat(client, question, 0.0), 3.0)  # what it acknowledges must last
    await asyncio.sleep(max(0.0, SECONDS[case.kind] - (time.monotonic() - started)))


async def _watch(service: Service, observed: set[tuple[str, str | None, str]]) -> None:
    """Looks at the aliases all the time."""
    while True:
        observed.update(await asyncio.to_thread(invariants.aliases, service.home))
        await asyncio.sleep(SAMPLE_SECONDS)


async def _supervise(service: Service, over: asyncio.Event) -> list[Violation]:
    """Starts again what ends after the fault because of it, as a worker whose disk was full."""
    while not over.is_set():
        for name in service.processes:
            if not service.runs(name):
                try:
                    await asyncio.to_thread(service.restart, name)
                except NotStarted as error:
                    return [Violation("ends", f"NotStarted: {error}")]
        await asyncio.sleep(SAMPLE_SECONDS)
    return []


async def _becomes(service: Service, *, ready: bool, seconds: float) -> bool:
    """Whether /readyz says so within the limit."""
    deadline = time.monotonic() + seconds
    while True:
        if ((await _readiness(service)) == "ready") is ready:
            return True
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.1)


async def _readiness(service: Service) -> str:
    """`ready`, or what is not."""
    try:
        async with httpx.AsyncClient(timeout=10.0, trust_env=False) as http:
            response = await http.get(f"{service.url}/readyz")
    except httpx.HTTPError as error:
        return repr(error)
    if response.is_success:
        return "ready"
    parts = response.json().get("parts", {})
    return "; ".join(f"{name}: {state}" for name, state in parts.items() if state != "ok")[:600]


async def _checked(service: Service, client: work.Client) -> list[Violation]:
    """All that can be checked after the case."""
    adapters = invariants.registered(service.home)
    found = invariants.ungated(invariants.aliases(service.home)) + invariants.trained_twice(adapters)
    try:
        async with httpx.AsyncClient(timeout=10.0, trust_env=False) as http:
            models = (await http.get(f"http://{service.address('engine')}/v1/models")).json()["data"]
        served = [model["id"] for model in models if model["parent"] is not None]
        found += await asyncio.to_thread(invariants.damaged, service.home, adapters, served)
        found += await invariants.lost(client, service.address("graph"))
    except httpx.HTTPError as error:
        found.append(Violation("ends", f"the engine does not answer: {error!r}"))
    return found

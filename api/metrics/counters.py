"""What a process counts while it works; each count costs a few microseconds."""

from collections.abc import Sequence
from typing import get_args

from prometheus_client import CollectorRegistry, ProcessCollector

from api.metrics import catalogue
from api.metrics.readings import Readings
from api.rate_limits import Kind
from graphs.state import ChatState
from memory.ingest.writer import IngestReport
from memory.records.interactions import ChatOutcome, Decision

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods that are told apart; a client may send any word."""
NO_ROUTE = "none"


class Metrics:
    """The counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.readings = Readings()
        self.registry.register(self.readings)
        self._requests = catalogue.HTTP_REQUESTS.counter(self.registry)
        self._seconds = catalogue.HTTP_SECONDS.histogram(self.registry)
        self._first_byte = catalogue.HTTP_FIRST_BYTE.histogram(self.registry)
        self.active = catalogue.HTTP_ACTIVE.gauge(self.registry)
        self._refusals = catalogue.REFUSALS.counter(self.registry)
        self._turns = catalogue.TURNS.counter(self.registry)
        self._turn_seconds = catalogue.TURN_SECONDS.histogram(self.registry)
        self._gate = catalogue.GATE.counter(self.registry)
        self._entropy = catalogue.ENTROPY.histogram(self.registry)
        self._tokens = catalogue.TOKENS.counter(self.registry)
        self._second_attempts = catalogue.SECOND_ATTEMPTS.counter(self.registry)
        self._runs = catalogue.RUNS_ENDED.counter(self.registry)
        self._ingested = catalogue.INGESTED.counter(self.registry)
        for limit in (*get_args(Kind), "concurrent"):  # a rate of 0 is seen from the start
            self._refusals.labels(limit)
        for outcome in get_args(ChatOutcome):
            self._turns.labels("question", outcome)
        for decision in (*get_args(Decision), "declined", "none"):
            self._gate.labels(decision)

    def request(
        self, method: str, route: str | None, status: int, seconds: float, first_byte: float | None
    ) -> None:
        """Counts a request that has ended."""
        template = route or NO_ROUTE
        self._requests.labels(method if method in METHODS else "other", template, str(status)).inc()
        self._seconds.labels(template).observe(seconds)
        if first_byte is not None:
            self._first_byte.labels(template).observe(first_byte)

    def refused(self, limit: str) -> None:
        """Counts a refusal by a limit of an owner."""
        self._refusals.labels(limit).inc()

    def turn(self, state: ChatState, seconds: float) -> None:
        """Counts a finished chat turn."""
        self._turns.labels(state["intent"], state["outcome"]).inc()
        self._turn_seconds.labels(state["outcome"]).observe(max(0.0, seconds))
        self._tokens.labels("prompt").inc(state["prompt_tokens"])
        self._tokens.labels("completion").inc(state["completion_tokens"])
        uncertainty = state["uncertainty"]
        if uncertainty is None:
            self._gate.labels("none").inc()
        else:
            self._gate.labels("declined" if uncertainty.abstained else uncertainty.decision).inc()
            self._entropy.observe(uncertainty.mean.upper)

    def second_attempt(self) -> None:
        """Counts a bad answer that is tried again."""
        self._second_attempts.inc()

    def run_ended(self, graph: str, status: str) -> None:
        """Counts a run that this process finished."""
        self._runs.labels(graph, status).inc()

    def ingested(self, reports: Sequence[IngestReport]) -> None:
        """Counts documents that were stored."""
        for what in ("documents", "passages", "facts", "unchanged"):
            self._ingested.labels(what).inc(sum(getattr(report, what) for report in reports))

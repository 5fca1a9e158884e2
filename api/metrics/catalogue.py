"""The catalogue of metrics: name, kind, labels and meaning of each. The reference page is made from it.

Label values are bounded: templates of routes, and words of our own. No id, user, source or domain is one.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

Kind = Literal["counter", "gauge", "histogram"]

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
NATS = (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)


class Metric(NamedTuple):
    """One metric."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    buckets: Sequence[float] = ()

    def counter(self, registry: CollectorRegistry) -> Counter:
        """The counter, registered."""
        return Counter(self.name, self.meaning, self.labels, registry=registry)

    def gauge(self, registry: CollectorRegistry) -> Gauge:
        """The gauge, registered."""
        return Gauge(self.name, self.meaning, self.labels, registry=registry)

    def histogram(self, registry: CollectorRegistry) -> Histogram:
        """The histogram, registered."""
        return Histogram(self.name, self.meaning, self.labels, buckets=self.buckets, registry=registry)


HTTP_REQUESTS = Metric(
    "nightschool_http_requests_total",
    "counter",
    ("method", "route", "status"),
    "Requests by the template of their route; `none` where no route was reached.",
)
HTTP_SECONDS = Metric(
    "nightschool_http_request_seconds",
    "histogram",
    ("route",),
    "Seconds from the head of a request to the end of its reply, a stream's included.",
    SECONDS,
)
HTTP_FIRST_BYTE = Metric(
    "nightschool_http_first_byte_seconds",
    "histogram",
    ("route",),
    "Seconds from the head of a request to the first byte of the reply's body.",
    SECONDS,
)
HTTP_ACTIVE = Metric("nightschool_http_requests_active", "gauge", (), "Requests in progress.")
REFUSALS = Metric(
    "nightschool_rate_limit_refusals_total",
    "counter",
    ("limit",),
    "Requests refused by a limit of their owner, by the kind of limit.",
)
TURNS = Metric(
    "nightschool_turns_total",
    "counter",
    ("intent", "outcome"),
    "Finished chat turns, also those of runs on threads, by intent and outcome.",
)
TURN_SECONDS = Metric(
    "nightschool_turn_seconds",
    "histogram",
    ("outcome",),
    "Seconds from the start of a chat turn to its whole answer.",
    SECONDS,
)
GATE = Metric(
    "nightschool_gate_decisions_total",
    "counter",
    ("decision",),
    "The gate's decisions on the model's own answers; `declined`: the model said that it does not know;"
    " `none`: not gated, such as conversation.",
)
ENTROPY = Metric(
    "nightschool_answer_entropy_nats",
    "histogram",
    (),
    "Mean entropy of an answer's tokens, of gated answers; the upper bound.",
    NATS,
)
TOKENS = Metric(
    "nightschool_tokens_total", "counter", ("direction",), "Tokens of chat turns: `prompt` and `completion`."
)
SECOND_ATTEMPTS = Metric(
    "nightschool_second_attempts_total",
    "counter",
    (),
    "Bad answers that chat tried again from the sources before it sent them.",
)
RUNS_ENDED = Metric(
    "nightschool_runs_ended_total",
    "counter",
    ("graph", "status"),
    "Runs that this process worked on to their end, by graph and status.",
)
INGESTED = Metric(
    "nightschool_ingested_total",
    "counter",
    ("what",),
    "What this process stored: `documents`, their `passages` and `facts`; `unchanged` documents, which were"
    " stored already.",
)
READ_AT = Metric(
    "nightschool_stores_read_timestamp_seconds",
    "gauge",
    (),
    "When the metrics below were last read from the stores.",
)
READY = Metric(
    "nightschool_part_ready",
    "gauge",
    ("part",),
    "1 while a part works as `/readyz` checks it, else 0: engine, stores, background loops.",
)
RUNS = Metric(
    "nightschool_runs_unfinished",
    "gauge",
    ("graph", "status"),
    "Runs that wait or are worked on, by graph.",
)
LEARN_RUNS = Metric(
    "nightschool_learn_runs",
    "gauge",
    ("status",),
    "All learn runs, by how they ended, or `running`.",
)
GAPS = Metric("nightschool_gaps", "gauge", ("status",), "Gaps by status.")
QUEUE = Metric(
    "nightschool_training_jobs",
    "gauge",
    ("state",),
    "Training jobs that are `waiting` in the queue or in `training`.",
)
RESULTS = Metric(
    "nightschool_training_results",
    "gauge",
    ("result",),
    "Training jobs that ended in the last 24 hours: `candidate` passed the gates, `rejected` did not,"
    " `failed` made no adapter.",
)
ADAPTERS = Metric(
    "nightschool_adapters",
    "gauge",
    ("state",),
    "Adapters that are `registered`, `live` for a domain, and `loaded` in the engine.",
)
EXPERIMENTS = Metric("nightschool_experiments_running", "gauge", (), "Experiments that run.")
SKEW = Metric(
    "nightschool_skew_alarms",
    "gauge",
    ("aspect",),
    "Alarms about skew in what was learned, by aspect, in the latest morning reports of all domains.",
)
PASSAGES = Metric("nightschool_passages", "gauge", (), "Passages in the library.")
FACTS = Metric("nightschool_facts", "gauge", (), "Facts in the graph.")

COUNTED = (
    HTTP_REQUESTS, HTTP_SECONDS, HTTP_FIRST_BYTE, HTTP_ACTIVE, REFUSALS, TURNS, TURN_SECONDS, GATE, ENTROPY,
    TOKENS, SECOND_ATTEMPTS, RUNS_ENDED, INGESTED,
)  # fmt: skip
"""What a process counts itself."""
READ = (READ_AT, READY, RUNS, LEARN_RUNS, GAPS, QUEUE, RESULTS, ADAPTERS, EXPERIMENTS, SKEW, PASSAGES, FACTS)
"""What is read from the stores, at most every few seconds and only for who may see it."""
ALL = (*COUNTED, *READ)

"""What the service is doing, on the page of health: queues and counts, read from its metrics."""

from collections import Counter
from collections.abc import Iterable, Mapping

from prometheus_client.parser import text_string_to_metric_families

from api.console.markup import block, paragraph, table

QUEUES = {
    "Runs that wait or are worked on": "nightschool_runs_unfinished",
    "Training jobs": "nightschool_training_jobs",
    "Training results of the last 24 hours": "nightschool_training_results",
    "Learn runs": "nightschool_learn_runs",
    "Gaps": "nightschool_gaps",
    "Adapters": "nightschool_adapters",
    "Experiments that run": "nightschool_experiments_running",
    "Passages in the library": "nightschool_passages",
    "Facts in the graph": "nightschool_facts",
}
COUNTS = {
    "Requests in progress": "nightschool_http_requests_active",
    "Turns": "nightschool_turns_total",
    "The gate's decisions": "nightschool_gate_decisions_total",
    "Tokens": "nightschool_tokens_total",
    "Requests over a limit": "nightschool_rate_limit_refusals_total",
}
Samples = Mapping[str, Mapping[tuple[str, ...], float]]


def activity(metrics: str) -> str:
    """The figures of a scrape of `/metrics`. Those whose store did not answer are left out."""
    found = samples(metrics)
    queues = [(words, said(found[name])) for words, name in QUEUES.items() if name in found]
    counts = [(words, said(found[name])) for words, name in COUNTS.items() if name in found]
    counts.append(("Requests by status", said(by_status(found.get("nightschool_http_requests_total", {})))))
    if (seconds := mean(found, "nightschool_turn_seconds")) is not None:
        counts.append(("Mean time of a turn", f"{seconds:.1f} s"))
    return block(
        table("Queues and stores", ("what", "how many"), queues),
        table("Counted since this api process started", ("what", "how many"), counts),
        paragraph("/metrics has these and more for Prometheus.", "quiet"),
    )


def samples(metrics: str) -> Samples:
    """The values in Prometheus's text format, by name and values of labels."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(metrics):
        found.setdefault(family.name, {})  # a queue that is empty may have no values
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def by_status(requests: Mapping[tuple[str, ...], float]) -> Mapping[tuple[str, ...], float]:
    """Requests by the class of their status, such as 4xx, which is their last label."""
    counted: Counter[tuple[str, ...]] = Counter()
    for labels, value in requests.items():
        counted[(f"{labels[-1][:1]}xx",)] += int(value)
    return dict(sorted(counted.items()))


def mean(found: Samples, histogram: str) -> float | None:
    """The mean of a histogram over all its labels; None before its first value."""
    count = _sum(found.get(f"{histogram}_count", {}).values())
    return _sum(found.get(f"{histogram}_sum", {}).values()) / count if count else None


def said(values: Mapping[tuple[str, ...], float]) -> str:
    """The values with their labels; without zeros where another value is there."""
    if list(values) == [()]:
        return f"{values[()]:,.0f}"
    shown = {labels: value for labels, value in values.items() if value}
    return ", ".join(f"{' '.join(labels)}: {value:,.0f}" for labels, value in shown.items()) or "none"


def _sum(values: Iterable[float]) -> float:
    return sum(values, 0.0)

"""Goals, comparisons between servers, and the result page of the api benchmark."""

from collections.abc import Mapping

from memory.results import Goal, Result, Table, rows

NAME = "api"
GOALS = {
    "added p50 ms": Goal(at="<=", bound=6),
    "added p95 ms": Goal(at="<=", bound=15),
    "added p50 ms, streamed": Goal(at="<=", bound=8),
    "added p95 ms, streamed": Goal(at="<=", bound=15),
    "most requests a second, stub": Goal(at=">=", bound=400),
    "share of vLLM's own throughput": Goal(at=">=", bound=0.97),
    "our runs a second over official": Goal(at=">=", bound=2),
    "our runs a second over aegra": Goal(at=">=", bound=3),
    "our runs.wait p50 ms": Goal(at="<=", bound=10),
    "official p50 over ours": Goal(at=">=", bound=20),
    "aegra p50 over ours": Goal(at=">=", bound=1),
    "make test, minutes": Goal(at="<=", bound=12),
    "make unit, seconds": Goal(at="<=", bound=60),
    "memory growth MB, chats": Goal(at="<=", bound=20),
    "memory growth MB, runs": Goal(at="<=", bound=20),
    "bytes of turn 100 over turn 10": Goal(at="<=", bound=1.1),
}
TEXT = """`direct`: the engine without the api, with the same prompt. `added`: the additional time through \
the api. `our`: one api process on SQLite, as `nightschool up` starts it. `on PostgreSQL`: {processes} api \
processes that share a PostgreSQL and get the requests in rotation. `official`: LangGraph's in-memory \
server. `aegra`: one process on PostgreSQL. All share the cores with the clients and the stub. The model is \
{model}."""
RATIOS = (
    ("our runs a second over official", "our runs a second", "official runs a second"),
    ("our runs a second over aegra", "our runs a second", "aegra runs a second"),
    ("official p50 over ours", "official runs.wait p50 ms", "our runs.wait p50 ms"),
    ("aegra p50 over ours", "aegra runs.wait p50 ms", "our runs.wait p50 ms"),
    (
        "our runs a second on PostgreSQL over official",
        "our runs a second, on PostgreSQL",
        "official runs a second",
    ),
    ("our runs a second on PostgreSQL over aegra", "our runs a second, on PostgreSQL", "aegra runs a second"),
)
"""Name, numerator and denominator."""


def derived_figures(figures: Mapping[str, float], processes: int) -> dict[str, float]:
    """The figures that are computed from others, as far as these were measured.

    `processes` is the number of api processes on PostgreSQL.
    """
    derived = {
        name: figures[numerator] / figures[denominator]
        for name, numerator, denominator in RATIOS
        if numerator in figures and denominator in figures
    }
    rates = {
        1: figures.get("requests a second, stub"),
        processes: figures.get("requests a second, stub, on PostgreSQL"),
    }
    measured = {count: rate for count, rate in rates.items() if rate is not None}
    if measured:
        best = max(measured, key=lambda count: measured[count])
        derived["most requests a second, stub"] = measured[best]
        derived["api processes behind it"] = float(best)
    return derived


def result(
    figures: Mapping[str, float],
    unavailable: Mapping[str, str],
    *,
    complete: bool,
    command: str,
    seconds: float,
    model: str,
    processes: int,
) -> Result:
    """The result; `unavailable` has the reason for each part that could not be measured.

    A run of some parts only (not `complete`) has just the goals whose figures it measured.
    """
    figures = {**figures, **derived_figures(figures, processes)}
    tables = [
        Table(
            title="All figures",
            text=TEXT.format(model=model, processes=processes),
            head=("figure", "measured"),
            rows=rows(list(figures.items())),
        )
    ]
    if unavailable:
        tables.append(
            Table(
                title="Not measured",
                text="What could not be installed or started on this machine.",
                head=("part", "reason"),
                rows=tuple((part, " ".join(reason.split())) for part, reason in unavailable.items()),
            )
        )
    return Result(
        name=NAME if complete else f"{NAME}-quick",
        title="What the api adds",
        command=command,
        seconds=seconds,
        figures=figures,
        goals=GOALS if complete else {key: GOALS[key] for key in GOALS if key in figures},
        tables=tuple(tables),
    )

"""Benchmark results on disk: one JSON file and one Markdown page with the same figures.

Every goal stays in the table, whether it was met or missed.
"""

import json
import operator
import os
import platform
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from memory.records.base import Record

FOLDER = Path("docs/results")
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {">=": operator.ge, "<=": operator.le}


class Goal(Record):
    """A target for one figure: at least, or at most, a bound."""

    at: Literal[">=", "<="]
    bound: float


class Table(Record):
    """A table on the page, with a sentence about what it shows."""

    title: str
    text: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Result(Record):
    """The measurements of one benchmark run."""

    name: str
    title: str
    command: str
    seconds: float
    figures: dict[str, float]
    goals: dict[str, Goal]
    """Keyed by the name of the figure."""
    tables: tuple[Table, ...] = ()
    plots: tuple[str, ...] = ()
    """Names of image files in the page's folder."""


def write(result: Result, folder: Path = FOLDER, *, at: str | None = None, on: str | None = None) -> None:
    """Writes NAME.json and NAME.md. A goal whose figure was not measured counts as missed.

    `at` is the commit and `on` the machine of the run; the defaults are the current ones. Pass them when
    rewriting the result of an earlier run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    at, on = at or commit(), on or machine()
    document = {
        "command": result.command,
        "commit": at,
        "machine": on,
        "seconds": round(result.seconds, 1),
        "figures": {name: round(figure, 4) for name, figure in result.figures.items()},
        "goals": {
            name: {"goal": _bound(goal), "figure": _rounded(result, name), "met": met(result, name)}
            for name, goal in result.goals.items()
        },
    }
    (folder / f"{result.name}.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    (folder / f"{result.name}.md").write_text(page(result, at, on), encoding="utf-8")


def met(result: Result, name: str) -> bool:
    """Whether the goal for this figure was met; a difference of 1e-9 counts as rounding."""
    goal, figure = result.goals[name], result.figures.get(name)
    if figure is None:
        return False
    return _COMPARE[goal.at](figure + (1e-9 if goal.at == ">=" else -1e-9), goal.bound)


def page(result: Result, at: str, on: str) -> str:
    """The Markdown page, for commit `at` and machine `on`."""
    goals = Table(
        title="Goals",
        text="Targets and measurements.",
        head=("figure", "goal", "measured", "met"),
        rows=tuple(
            (name, _bound(goal), _formatted(result, name), "yes" if met(result, name) else "**no**")
            for name, goal in result.goals.items()
        ),
    )
    parts = [
        f"# {result.title}",
        f"`{result.command}`: {result.seconds:.0f} s, commit {at}, {on}.",
        *(f"![{Path(plot).stem}]({plot})" for plot in result.plots),
        *(_section(table) for table in ((goals,) if result.goals else ()) + result.tables),
    ]
    return "\n\n".join(parts) + "\n"


def commit() -> str:
    """The short hash of the checked-out commit, followed by `+` if tracked files other than results have
    changed; `unknown` without git."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        others = ("--", ".", f":!{FOLDER}")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no", *others) else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine() -> str:
    """The usable cores, the processor and the Python version."""
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores of {_processor()}, Python {platform.python_version()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _git(*arguments: str) -> str:
    completed = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    return completed.stdout.strip()


def _rounded(result: Result, name: str) -> float | None:
    return round(result.figures[name], 4) if name in result.figures else None


def _formatted(result: Result, name: str) -> str:
    return f"{result.figures[name]:.4g}" if name in result.figures else "not measured"


def _bound(goal: Goal) -> str:
    return f"{goal.at} {goal.bound:g}"


def _section(table: Table) -> str:
    lines = [table.head, ("---",) * len(table.head), *table.rows]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"## {table.title}\n\n{table.text}\n\n{body}"


def rows(values: Sequence[Sequence[object]]) -> tuple[tuple[str, ...], ...]:
    """Cells as text: floats with three decimals, everything else by `str`."""
    return tuple(tuple(f"{v:.3f}" if isinstance(v, float) else str(v) for v in line) for line in values)

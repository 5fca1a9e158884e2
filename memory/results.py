"""The result of a benchmark on disk: one JSON file, and a Markdown page with the same figures.

What is measured is for each benchmark; a goal that is missed stays in the table.
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
    """A bound on one figure."""

    at: Literal[">=", "<="]
    bound: float


class Table(Record):
    """A table of the page, with a sentence that says what it shows."""

    title: str
    text: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Result(Record):
    """What one run of a benchmark measured."""

    name: str
    title: str
    command: str
    seconds: float
    figures: dict[str, float]
    goals: dict[str, Goal]
    """By the name of their figure."""
    tables: tuple[Table, ...] = ()
    plots: tuple[str, ...] = ()
    """Names of image files beside the page."""


def write(result: Result, folder: Path = FOLDER, *, at: str | None = None, on: str | None = None) -> None:
    """Writes NAME.json and NAME.md. A goal whose figure was not measured is not met.

    `at` and `on` are the commit and the machine of a run that is written again; else they are these.
    """
    folder.mkdir(parents=True, exist_ok=True)
    at, on = at or commit(), on or machine()
    told = {
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
    (folder / f"{result.name}.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    (folder / f"{result.name}.md").write_text(page(result, at, on), encoding="utf-8")


def met(result: Result, name: str) -> bool:
    """Whether the goal of this figure was reached; a difference of 1e-9 is rounding, not a miss."""
    goal, figure = result.goals[name], result.figures.get(name)
    if figure is None:
        return False
    return _COMPARE[goal.at](figure + (1e-9 if goal.at == ">=" else -1e-9), goal.bound)


def page(result: Result, at: str, on: str) -> str:
    """The page in Markdown, for commit `at` and machine `on`."""
    goals = Table(
        title="Goals",
        text="What we set out to reach, and what was measured.",
        head=("figure", "goal", "measured", "met"),
        rows=tuple(
            (name, _bound(goal), _told(result, name), "yes" if met(result, name) else "**no**")
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
    """The short hash of the checked-out commit, with `+` after it if files but results differ; `unknown`
    without git."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        others = ("--", ".", f":!{FOLDER}")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no", *others) else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine() -> str:
    """Processor, cores that may be used, and Python."""
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
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _rounded(result: Result, name: str) -> float | None:
    return round(result.figures[name], 4) if name in result.figures else None


def _told(result: Result, name: str) -> str:
    return f"{result.figures[name]:.4g}" if name in result.figures else "not measured"


def _bound(goal: Goal) -> str:
    return f"{goal.at} {goal.bound:g}"


def _section(table: Table) -> str:
    lines = [table.head, ("---",) * len(table.head), *table.rows]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"## {table.title}\n\n{table.text}\n\n{body}"


def rows(values: Sequence[Sequence[object]]) -> tuple[tuple[str, ...], ...]:
    """Cells as text: floats with three digits, everything else as it prints."""
    return tuple(tuple(f"{v:.3f}" if isinstance(v, float) else str(v) for v in line) for line in values)

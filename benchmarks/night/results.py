"""The parts of the night benchmark, their goals, and the page made of their results."""

from collections.abc import Mapping

from benchmarks.parts import PartResult, parts_table
from memory.results import Goal, Result, Table, rows

NAME = "night"
PARTS = ("scorer", "revision", "locomo", "fortnight", "scale")
GOALS: Mapping[str, Mapping[str, Goal]] = {
    "scorer": {
        "scorer, AUROC": Goal(at=">=", bound=0.8),
        "scorer, AUROC over that of length alone": Goal(at=">=", bound=0.1),
        "scorer, calibration error": Goal(at="<=", bound=0.1),
        "scorer, largest style shift, points": Goal(at="<=", bound=0.5),
    },
    "revision": {
        "revision, right answers made wrong": Goal(at="<=", bound=0.02),
        "revision, low answers made right by the best strategy": Goal(at=">=", bound=0.3),
    },
    "locomo": {
        "locomo, gap closed closed-book": Goal(at=">=", bound=0.6),
        "locomo, both over the best of retrieval and full conversation, points": Goal(at=">=", bound=0),
        "locomo, first night's questions lost, points": Goal(at="<=", bound=3),
        "locomo, known questions lost, points": Goal(at="<=", bound=1),
    },
    "fortnight": {
        "fortnight, rise of right answers, points": Goal(at=">=", bound=1),
        "fortnight, fall of questions left as gaps by day, points": Goal(at=">=", bound=0),
        "fortnight, unanswerable declined": Goal(at=">=", bound=0.8),
        "poisoned day, false answers taught or archived": Goal(at="<=", bound=0),
        "poisoned day, false answers given to others": Goal(at="<=", bound=0),
    },
    "scale": {
        "scale, steps with identical results": Goal(at=">=", bound=4),
    },
}
"""Those of locomo and the poisoned day are the issue's. The others were chosen before the first whole run."""


def page(found: Mapping[str, PartResult], *, quick: bool, command: str, model: str) -> Result:
    """The page of all parts that have run. A part that has not run has no goals, and is listed as such."""
    figures = {name: value for part in found.values() for name, value in part.figures.items()}
    goals = {name: goal for part in found for name, goal in GOALS[part].items()}
    if quick:
        goals = {name: goal for name, goal in goals.items() if name in figures}
    everything = Table(
        title="All figures",
        text=f"Everything that was measured. The model is {model}.",
        head=("figure", "measured"),
        rows=rows(list(figures.items())),
    )
    return Result(
        name=f"{NAME}-quick" if quick else NAME,
        title="The night: scores, revisions, what conversations said, and a fortnight",
        command=command,
        seconds=sum(part.seconds for part in found.values()),
        figures=figures,
        goals=goals,
        tables=(parts_table(found, PARTS), *(t for part in found.values() for t in part.tables), everything),
    )

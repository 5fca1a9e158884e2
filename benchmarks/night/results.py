"""Results of the parts of the night benchmark, each in a file of its own, and the page made of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from memory.outbox.files import write_atomically
from memory.records.base import Record
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


class PartResult(Record):
    """What one part measured."""

    part: str
    figures: dict[str, float]
    tables: tuple[Table, ...] = ()
    seconds: float = 0.0
    command: str = ""
    machine: str = ""
    commit: str = ""
    """The last three as they were when the part ran, which the page's other parts may not share."""


def keep(folder: Path, result: PartResult) -> None:
    """Writes a part's result in place of an earlier one."""
    write_atomically(_path(folder, result.part), result.model_dump_json(indent=1))


def kept(folder: Path) -> dict[str, PartResult]:
    """The results of the parts that have run, in the order of PARTS."""
    paths = ((part, _path(folder, part)) for part in PARTS)
    return {
        part: PartResult.model_validate_json(path.read_text(encoding="utf-8"))
        for part, path in paths
        if path.is_file()
    }


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
        tables=(_parts_table(found), *(t for part in found.values() for t in part.tables), everything),
    )


def _parts_table(found: Mapping[str, PartResult]) -> Table:
    def row(part: str) -> Sequence[str]:
        result = found.get(part)
        if result is None:
            return part, "not run", "", ""
        return part, f"{result.seconds / 60:.1f}", result.commit, result.command

    return Table(
        title="Parts",
        text="Each part can run alone; the page keeps the results of those that ran earlier.",
        head=("part", "minutes", "commit", "command"),
        rows=tuple(tuple(row(part)) for part in PARTS),
    )


def _path(folder: Path, part: str) -> Path:
    return folder / f"{part}.json"

"""Benchmarks in parts: each part's result is kept in a file of its own, and a page is made of all of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from memory.outbox.files import write_atomically
from memory.records.base import Record
from memory.results import Table


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


def kept(folder: Path, parts: Sequence[str]) -> dict[str, PartResult]:
    """The results of those of the parts that have run, in their order."""
    paths = ((part, _path(folder, part)) for part in parts)
    return {
        part: PartResult.model_validate_json(path.read_text(encoding="utf-8"))
        for part, path in paths
        if path.is_file()
    }


def parts_table(found: Mapping[str, PartResult], parts: Sequence[str]) -> Table:
    """When and by which command each part ran."""

    def row(part: str) -> tuple[str, ...]:
        result = found.get(part)
        if result is None:
            return part, "not run", "", ""
        return part, f"{result.seconds / 60:.1f}", result.commit, result.command

    return Table(
        title="Parts",
        text="Each part can run alone; the page keeps the results of those that ran earlier.",
        head=("part", "minutes", "commit", "command"),
        rows=tuple(row(part) for part in parts),
    )


def _path(folder: Path, part: str) -> Path:
    return folder / f"{part}.json"

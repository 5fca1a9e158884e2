"""Records in a JSON Lines file, added one by one, so that a part that was broken off goes on."""

from pathlib import Path
from typing import Generic, TypeVar

from memory.records.base import Record

R = TypeVar("R", bound=Record)


class Lines(Generic[R]):
    """The records of a file; a last line that a crash cut off is dropped."""

    def __init__(self, path: Path, kind: type[R]) -> None:
        self._path = path
        self.all: list[R] = []
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                self.all.append(kind.model_validate_json(line))
            except ValueError:
                break
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{each.model_dump_json()}\n" for each in self.all), encoding="utf-8")

    def add(self, record: R) -> None:
        """Writes one more."""
        self.all.append(record)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{record.model_dump_json()}\n")

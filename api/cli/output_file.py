"""Files that commands write: they take their place only once they are complete."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from api.cli.shell import FAILED, disk_trouble, stop


@contextmanager
def output_file(file: Path | None) -> Iterator[TextIO]:
    """The file to write, or the terminal without one. Trouble with the disk ends the command."""
    if file is None:
        yield sys.stdout
        return
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as output:
            yield output
        part.replace(file)
    except OSError as error:
        stop(disk_trouble(error), FAILED)
    finally:
        part.unlink(missing_ok=True)


def copy_lines(lines: Iterable[str], output: TextIO) -> int:
    """Writes the lines that are not blank, and returns how many."""
    count = 0
    for line in filter(None, lines):
        output.write(line + "\n")
        count += 1
    return count

"""Changes of files in folders, as the operating system reports them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watchfiles import Change

WAIT_MILLISECONDS = 1000


@dataclass(frozen=True)
class Changes:
    """Paths that changed."""

    there: frozenset[Path] = frozenset()
    """Files that were added or changed, and folders that were added."""
    deleted: frozenset[Path] = frozenset()

    def __or__(self, other: "Changes") -> "Changes":
        return Changes(self.there | other.there, self.deleted | other.deleted)

    def __bool__(self) -> bool:
        return bool(self.there or self.deleted)


def changes_in(folders: Sequence[Path]) -> Iterator[Changes]:
    """What changes in the folders from this call on, until Ctrl-C; empty changes while nothing does."""
    from watchfiles import watch

    reported = watch(
        *folders,
        raise_interrupt=False,
        yield_on_timeout=True,
        rust_timeout=WAIT_MILLISECONDS,
        ignore_permission_denied=True,
    )
    first = next(reported, set())  # the watch begins with the first call
    return (_changes(each) for each in chain([first], reported))


def inside(path: Path, folder: Path) -> Path | None:
    """The path as one that begins with the folder's; None if it is elsewhere, hidden or below such."""
    try:
        below = (path.parent.resolve() / path.name).relative_to(folder.resolve())
    except ValueError:
        return None
    return None if any(part.startswith(".") for part in below.parts) else folder / below


def _changes(reported: "set[tuple[Change, str]]") -> Changes:
    from watchfiles import Change

    there = {
        Path(path)
        for change, path in reported
        if change == Change.added or (change == Change.modified and not Path(path).is_dir())
    }
    deleted = {Path(path) for change, path in reported if change == Change.deleted}
    return Changes(frozenset(there), frozenset(deleted))

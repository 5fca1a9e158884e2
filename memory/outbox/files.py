"""The outbox folder: what is trained as immutable files named by digest, progress files, and atomic writes.

A curriculum is DIGEST.json, a preference set DIGEST.preferences.json, so neither is ever read as the other.
"""

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, overload

from pydantic import ValidationError

from memory.errors import CorruptRecord, UnknownRun
from memory.outbox.base import Progress
from memory.records.base import Digest
from memory.records.curricula import Curriculum
from memory.records.feedback import PreferenceSet
from memory.records.runs import JobKind


class _Kind(NamedTuple):
    """How files of one kind are named, and what to do without one."""

    ending: str
    name: str
    again: str


_KINDS: Mapping[type, _Kind] = {
    Curriculum: _Kind(".json", "curriculum", "learn the topic again"),
    PreferenceSet: _Kind(".preferences.json", "preference set", "build it again"),
}


def write_atomically(path: Path, text: str) -> None:
    """Writes a file atomically: after a crash, and for concurrent readers, it is either old or complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")  # with the umask's mode, unlike `mkstemp`
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def publish(folder: Path, record: Curriculum | PreferenceSet) -> Digest:
    """Writes the record to `folder`, named by its digest; publishing it again changes nothing.

    Raises CorruptRecord if that file exists with other content.
    """
    digest = record.digest
    path = _path(folder, digest, type(record))
    if path.exists():
        read(folder, digest, type(record))
        return digest
    write_atomically(path, record.model_dump_json())
    return digest


@overload
def read(folder: Path, digest: Digest, record: type[Curriculum] = ...) -> Curriculum: ...
@overload
def read(folder: Path, digest: Digest, record: type[PreferenceSet]) -> PreferenceSet: ...
def read(
    folder: Path, digest: Digest, record: type[Curriculum] | type[PreferenceSet] = Curriculum
) -> Curriculum | PreferenceSet:
    """A published record, by default a curriculum.

    Raises UnknownRun if it does not exist, CorruptRecord if it was altered.
    """
    path, kind = _path(folder, digest, record), _KINDS[record]
    try:
        published = record.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UnknownRun(f"no {kind.name} {digest} in {folder}: {kind.again}") from None
    except ValidationError as error:
        raise CorruptRecord(f"{path} is not a {kind.name}: remove it and {kind.again} ({error})") from error
    if published.digest != digest:
        raise CorruptRecord(f"{path} was altered, its content does not match its name: remove it")
    return published


def preference_digests(folder: Path) -> tuple[Digest, ...]:
    """The digests of all published preference sets, oldest first."""
    ending = _KINDS[PreferenceSet].ending
    paths = [path for path in folder.glob(f"*{ending}") if not path.name.startswith(".")]
    return tuple(
        path.name.removesuffix(ending) for path in sorted(paths, key=lambda p: (p.stat().st_mtime, p))
    )


def digests(folder: Path) -> tuple[tuple[JobKind, Digest], ...]:
    """The digests of all published curricula and preference sets."""
    names = sorted(path.name for path in folder.glob("*.json") if not path.name.startswith("."))
    sets = _KINDS[PreferenceSet].ending
    stored: list[tuple[JobKind, Digest]] = []
    for name in names:
        if name.endswith(sets):
            stored.append(("preferences", name.removesuffix(sets)))
        elif name.count(".") == 1:  # no approval
            stored.append(("lesson", name.removesuffix(_KINDS[Curriculum].ending)))
    return tuple(stored)


def delete(folder: Path, digest: Digest) -> None:
    """Deletes all files of a curriculum or preference set: its content, approval and progress."""
    for path in [*folder.glob(f"*{digest}*"), *(folder / "progress").glob(f"*{digest}*")]:
        path.unlink(missing_ok=True)


def _path(folder: Path, digest: Digest, record: type) -> Path:
    return folder / f"{digest}{_KINDS[record].ending}"


def progress_path(folder: Path, job: str) -> Path:
    """The file with the progress of the job with this id, written by the worker."""
    return folder / "progress" / f"{job}.json"


def report_progress(folder: Path, job: str, progress: Progress) -> None:
    """Writes a job's progress; called by the worker."""
    write_atomically(progress_path(folder, job), progress.model_dump_json())

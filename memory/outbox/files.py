"""Curricula and progress as files: immutable, named by digest, written atomically."""

import os
import tempfile
from pathlib import Path

from pydantic import ValidationError

from memory.errors import CorruptRecord, UnknownRun
from memory.outbox.base import Progress
from memory.records.base import Digest
from memory.records.curricula import Curriculum


def write_atomically(path: Path, text: str) -> None:
    """Writes `text` so that a reader, or a crash, sees either the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def publish(folder: Path, curriculum: Curriculum) -> Digest:
    """Writes the curriculum to `folder`/DIGEST.json; publishing it again changes nothing.

    Raises CorruptRecord if a file of that name holds anything else.
    """
    digest = curriculum.digest
    path = folder / f"{digest}.json"
    if path.exists():
        read(folder, digest)
        return digest
    write_atomically(path, curriculum.model_dump_json())
    return digest


def read(folder: Path, digest: Digest) -> Curriculum:
    """The published curriculum; raises UnknownRun if there is none, CorruptRecord if it was altered."""
    path = folder / f"{digest}.json"
    try:
        curriculum = Curriculum.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UnknownRun(f"no curriculum {digest} in {folder}: its file is gone, so learn again") from None
    except ValidationError as error:
        raise CorruptRecord(f"{path} is not a curriculum: remove it and learn again ({error})") from error
    if curriculum.digest != digest:
        raise CorruptRecord(f"{path} was altered: its content is not what its name says; remove it")
    return curriculum


def progress_path(folder: Path, digest: Digest) -> Path:
    """Where the worker keeps the progress of a job."""
    return folder / "progress" / f"{digest}.json"


def report_progress(folder: Path, digest: Digest, progress: Progress) -> None:
    """Called by the worker: replaces what `progress` tells about the job."""
    write_atomically(progress_path(folder, digest), progress.model_dump_json())

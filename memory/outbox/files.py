"""The outbox folder: curricula as immutable files named by digest, progress files, and atomic writes."""

import os
import tempfile
from pathlib import Path

from pydantic import ValidationError

from memory.errors import CorruptRecord, UnknownRun
from memory.outbox.base import Progress
from memory.records.base import Digest
from memory.records.curricula import Curriculum


def write_atomically(path: Path, text: str) -> None:
    """Writes a file atomically: after a crash, and for concurrent readers, it is either old or complete."""
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

    Raises CorruptRecord if that file exists with other content.
    """
    digest = curriculum.digest
    path = folder / f"{digest}.json"
    if path.exists():
        read(folder, digest)
        return digest
    write_atomically(path, curriculum.model_dump_json())
    return digest


def read(folder: Path, digest: Digest) -> Curriculum:
    """A published curriculum. Raises UnknownRun if it does not exist, CorruptRecord if it was altered."""
    path = folder / f"{digest}.json"
    try:
        curriculum = Curriculum.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UnknownRun(f"no curriculum {digest} in {folder}: learn the topic again") from None
    except ValidationError as error:
        raise CorruptRecord(f"{path} is not a curriculum: remove it and learn again ({error})") from error
    if curriculum.digest != digest:
        raise CorruptRecord(f"{path} was altered, its content does not match its name: remove it")
    return curriculum


def progress_path(folder: Path, digest: Digest) -> Path:
    """The file with a job's progress, written by the worker."""
    return folder / "progress" / f"{digest}.json"


def report_progress(folder: Path, digest: Digest, progress: Progress) -> None:
    """Writes a job's progress; called by the worker."""
    write_atomically(progress_path(folder, digest), progress.model_dump_json())

"""The manifest of a backup: its files with their digests, written last and checked first."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from memory.errors import CorruptRecord
from memory.records.base import Digest, Record

FILE = "manifest.json"
FORMAT = 1


class Manifest(Record):
    """What a backup holds."""

    format: int = FORMAT
    created_at: datetime
    """When the backup began: what was acknowledged before is in it."""
    files: dict[str, Digest]
    """SHA-256 of each file, by its path in the backup."""
    counts: dict[str, int] = {}
    """Rows of the LanceDB tables, and facts, to be compared after a restore."""
    without: tuple[str, ...] = ()
    """What is not in it, because another server holds it."""


def files_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files of a backup but its manifest, with their paths in it. Raises CorruptRecord for links and
    special files."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise CorruptRecord(f"{path} is a link or no file: a backup has neither")
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != FILE:
            yield name, path


def digest_of_file(path: Path) -> Digest:
    """SHA-256 of the file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest with the digests of all files in the folder."""
    files = {name: digest_of_file(path) for name, path in files_in(folder)}
    manifest = manifest.model_copy(update={"files": files})
    (folder / FILE).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")


def checked(folder: Path) -> Manifest:
    """The manifest of a backup whose files are all there and as they were. Raises CorruptRecord."""
    try:
        manifest = Manifest.model_validate_json((folder / FILE).read_bytes())
    except FileNotFoundError:
        raise CorruptRecord(f"it has no {FILE}: it is no complete backup of Nightschool") from None
    except ValidationError as error:
        raise CorruptRecord(f"{FILE} cannot be read: take another backup ({error})") from None
    if manifest.format != FORMAT:
        raise CorruptRecord(f"it has format {manifest.format}: restore it with the version that wrote it")
    found = dict(files_in(folder))
    for name in manifest.files:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise CorruptRecord(f"{FILE} names {name}, which is outside of the backup")
    if missing := sorted(manifest.files.keys() - found):
        raise CorruptRecord(f"{missing[0]} is missing: take another backup")
    if strange := sorted(found.keys() - manifest.files.keys()):
        raise CorruptRecord(f"{strange[0]} is not in {FILE}: somebody added it")
    for name, digest in manifest.files.items():
        if digest_of_file(found[name]) != digest:
            raise CorruptRecord(f"{name} was altered: its digest is not that of {FILE}")
    return manifest

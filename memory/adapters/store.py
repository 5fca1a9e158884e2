"""Where the files of registered adapters are: a folder that all processes share, or an object storage."""

import os
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from memory.errors import CorruptRecord, StoreUnavailable
from memory.records.base import ADAPTER_PATTERN

CONNECT_SECONDS = 5.0
ATTEMPTS = 3


class AdapterStore(Protocol):
    """The files of registered adapters. Blocking: call it from a thread."""

    def folder(self, name: str) -> Path:
        """The adapter's folder on this machine; what is written into it is published by `publish`."""
        ...

    def publish(self, name: str, files: Sequence[str]) -> None:
        """Lets all processes have these files of the folder; safe to repeat. Raises StoreUnavailable."""
        ...

    def fetch(self, name: str, files: Sequence[str]) -> Path:
        """The adapter's folder on this machine, with those of the files that were published.

        Each is there whole or not at all, and whoever uses it checks its digest. Raises StoreUnavailable, and
        CorruptRecord for a name that is none.
        """
        ...

    def delete(self, name: str, files: Sequence[str]) -> None:
        """Deletes these files where all processes have them, and on this machine; safe to repeat.

        Raises StoreUnavailable, and CorruptRecord for a name that is none.
        """
        ...


class FolderStore:
    """Adapters in a folder that all processes share."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, name: str) -> Path:
        return self._root / _checked(name)

    def publish(self, name: str, files: Sequence[str]) -> None:
        """Nothing: all processes read the folder."""

    def fetch(self, name: str, files: Sequence[str]) -> Path:
        return self.folder(name)

    def delete(self, name: str, files: Sequence[str]) -> None:
        _delete(self.folder(name), files)


class BucketStore:
    """Adapters in an S3-compatible storage. Files that were fetched stay in a folder of this machine, as an
    engine may read them again at any time; adapters never change, so they are not fetched twice."""

    def __init__(self, url: str, root: Path, *, endpoint: str | None = None) -> None:
        """`url` is `s3://BUCKET/FOLDER`, and `endpoint` the address of a storage that is not AWS.

        Region and credentials come from where AWS's own tools have them, such as the AWS_ variables. Nothing
        is asked of the storage yet.
        """
        from pyarrow import fs  # type: ignore[import-untyped]  # here because the import takes 0.2 s

        self._url = url.rstrip("/")
        self._root = root
        self._local = fs.LocalFileSystem()
        self._remote = fs.S3FileSystem(
            endpoint_override=endpoint,
            connect_timeout=CONNECT_SECONDS,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        )

    def require(self) -> None:
        """Raises StoreUnavailable unless the storage answers, and its bucket may be listed."""
        from pyarrow import fs

        bucket = self._url.removeprefix("s3://").partition("/")[0]
        with self._storage_errors():
            if self._remote.get_file_info(bucket).type == fs.FileType.NotFound:
                raise OSError(f"there is no bucket {bucket!r}")
            self._remote.get_file_info(fs.FileSelector(self._url.removeprefix("s3://"), allow_not_found=True))

    def folder(self, name: str) -> Path:
        return self._root / _checked(name)

    def publish(self, name: str, files: Sequence[str]) -> None:
        """Uploads the files; the storage shows each once it is complete."""
        folder = self.folder(name)
        with self._storage_errors():
            for file in files:
                self._copy(str(folder / file), self._local, self._key(name, file), self._remote)

    def fetch(self, name: str, files: Sequence[str]) -> Path:
        """Downloads the files that this machine lacks, each under another name until it is complete."""
        folder = self.folder(name)
        for file in files:
            if not (folder / file).exists():
                self._fetch(name, file)
        return folder

    def delete(self, name: str, files: Sequence[str]) -> None:
        folder = self.folder(name)
        for file in files:
            with self._storage_errors(), suppress(FileNotFoundError):
                self._remote.delete_file(self._key(name, file))
        _delete(folder, files)

    def _fetch(self, name: str, file: str) -> None:
        target = self.folder(name) / file
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{file}.{uuid.uuid4().hex}")
        try:
            with self._storage_errors():
                self._copy(self._key(name, file), self._remote, str(temporary), self._local)
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(target)
        except FileNotFoundError:
            return  # was not published: whoever reads it says what to do
        finally:
            temporary.unlink(missing_ok=True)

    def _key(self, name: str, file: str) -> str:
        return f"{self._url.removeprefix('s3://')}/{name}/{file}"

    def _copy(self, source: str, from_: object, target: str, to: object) -> None:
        from pyarrow import fs

        fs.copy_files(source, target, source_filesystem=from_, destination_filesystem=to)

    @contextmanager
    def _storage_errors(self) -> Iterator[None]:
        """Turns the storage's errors into StoreUnavailable; a missing file stays FileNotFoundError."""
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            code = re.search(r"AWS Error (\w+)", str(error))
            reason = f"the storage answered {code[1]}" if code else str(error)
            raise StoreUnavailable(
                f"adapters at {self._url} cannot be read or written ({reason}): check"
                " NIGHTSCHOOL_ADAPTERS_URL and the AWS_ variables",
                part="the storage of adapters",
            ) from error


def _delete(folder: Path, files: Sequence[str]) -> None:
    for file in files:
        (folder / file).unlink(missing_ok=True)


def _checked(name: str) -> str:
    if not re.fullmatch(ADAPTER_PATTERN, name):
        raise CorruptRecord(f"{name!r} is no adapter's name: restore the registry from a copy")
    return name

"""Backs up a home folder, while the service runs or not: into a folder, or a .tar.gz file."""

import asyncio
import shutil
import sqlite3
import tarfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from memory.backup.manifest import Manifest, write
from memory.backup.state import FACTS, GRAPH, LANCE, STATE, State, open_graph, plain_files
from memory.errors import StoreUnavailable
from memory.server.audit import HEADS
from memory.vector_tables import copy_database

ARCHIVE = ".tar.gz"


async def back_up(state: State, target: Path) -> Manifest:
    """Writes a backup, which takes its name only once it is complete.

    What was acknowledged before it began is in it. Raises StoreUnavailable, OSError, and ValueError if the
    target exists.
    """
    folder = _begin(state.home, target)
    try:
        manifest = await _write(state, folder)
        await asyncio.to_thread(_complete, folder, manifest, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return manifest


def _begin(home: Path, target: Path) -> Path:
    """The new folder in which the backup is written."""
    if target.exists():
        raise ValueError(f"{target} exists: name another file or folder")
    if not home.is_dir():
        raise ValueError(f"{home} does not exist: set NIGHTSCHOOL_HOME to the home folder")
    folder = target.with_name(f"{target.name}.part")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / STATE).mkdir(parents=True)
    return folder


def _complete(folder: Path, manifest: Manifest, target: Path) -> None:
    write(folder, manifest)
    if not target.name.endswith(ARCHIVE):
        folder.rename(target)
        return
    packed = target.with_name(f"{target.name}.packing")
    _pack(folder, packed)
    packed.rename(target)


async def _write(state: State, folder: Path) -> Manifest:
    """Copies each store. Files come after the databases that name them; hashes of the audit log before it."""
    began = datetime.now(UTC)
    counts: dict[str, int] = {}
    copied = folder / STATE
    if (state.home / HEADS).is_file():
        shutil.copyfile(state.home / HEADS, copied / HEADS)
    for database in state.databases:
        if database.is_file():
            copy = copied / database.relative_to(state.home)
            await asyncio.to_thread(_copy_sqlite, database, copy)
    for name, url in state.lance.items():
        for table, rows in (await copy_database(url, folder / LANCE / name)).items():
            counts[f"{name}/{table}"] = rows
    async with open_graph(state.home / GRAPH, state.graph_url) as graph:
        counts["facts"] = 0
        with (folder / FACTS).open("w", encoding="utf-8", newline="\n") as lines:
            async for fact in graph.everything():
                lines.write(fact.model_dump_json() + "\n")
                counts["facts"] += 1
    await asyncio.to_thread(_copy_files, state.home, copied)
    return Manifest(created_at=began, files={}, counts=counts, without=state.elsewhere)


def _copy_sqlite(source: Path, target: Path) -> None:
    """A copy of the database at one moment, also while others write to it. Raises StoreUnavailable."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as database,
            closing(sqlite3.connect(target)) as copy,
        ):
            database.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"{source} cannot be backed up: check it with `nightschool doctor` ({error})"
        ) from error


def _copy_files(home: Path, target: Path) -> None:
    for path in plain_files(home):
        copy = target / path.relative_to(home)
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(path, copy)
        except FileNotFoundError:
            continue  # removed meanwhile


def _pack(folder: Path, file: Path) -> None:
    with tarfile.open(file, "w:gz", compresslevel=1) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.add(path, path.relative_to(folder).as_posix(), recursive=False)

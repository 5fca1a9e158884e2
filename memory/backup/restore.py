"""Restores a backup into an empty home folder, after every file of it was checked."""

import asyncio
import shutil
import tarfile
from pathlib import Path

from memory.backup.backup import ARCHIVE
from memory.backup.manifest import Manifest, checked
from memory.backup.state import FACTS, GRAPH, LANCE, LOCKS, MODELS, STATE, State, open_graph
from memory.errors import CorruptRecord, StoreUnavailable
from memory.file_locks import file_lock
from memory.records.knowledge import Fact
from memory.vector_tables import copy_database

FACTS_AT_ONCE = 500


async def restore(backup: Path, state: State) -> Manifest:
    """Restores a folder or archive to a home folder with nothing in it, or only models.

    Raises StoreUnavailable, also if a service runs on the home folder, ValueError if it holds anything, and
    CorruptRecord if the backup is not what was written.
    """
    home = state.home
    _refuse(home, backup)
    work = home.with_name(f"{home.name}.restoring")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700, parents=True)
    new = work / "home"
    try:
        folder, manifest = await asyncio.to_thread(_prepare, backup, work, new)
        counts = {}
        for name, url in state.lance.items():
            place = new / name if url == str(home / name) else url
            for table, rows in (await copy_database(str(folder / LANCE / name), place)).items():
                counts[f"{name}/{table}"] = rows
        counts["facts"] = await _restore_facts(folder / FACTS, new / GRAPH, state.graph_url)
        if counts != manifest.counts:
            raise CorruptRecord(f"the stores hold {counts} instead of {manifest.counts}: restore again")
        _put(new, home)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return manifest


def _prepare(backup: Path, work: Path, new: Path) -> tuple[Path, Manifest]:
    """The checked backup's folder and manifest; copies its plain files to the new home folder."""
    folder = backup
    if backup.is_file():
        folder = work / "unpacked"
        _unpack(backup, folder)
    manifest = checked(folder)
    shutil.copytree(folder / STATE, new)
    return folder, manifest


def _put(new: Path, home: Path) -> None:
    if not home.exists():
        new.rename(home)
        return
    for part in sorted(new.iterdir()):
        part.rename(home / part.name)


def _refuse(home: Path, backup: Path) -> None:
    """Raises StoreUnavailable if a service runs on the home folder, ValueError if it holds anything."""
    for lock in LOCKS:
        if (home / lock).exists():
            busy = StoreUnavailable(f"a service runs on {home}: stop it first")
            with file_lock(home / lock, busy=busy):
                pass
    if home.exists() and any(each.name != MODELS for each in home.iterdir()):
        raise ValueError(f"{home} is not empty: move it away, or set another NIGHTSCHOOL_HOME")
    if not backup.exists():
        raise ValueError(f"{backup} does not exist")


def _unpack(archive: Path, folder: Path) -> None:
    """Unpacks plain files to where they belong. Raises CorruptRecord for anything else."""
    try:
        with tarfile.open(archive, "r:gz") as packed:
            for member in packed:
                if not member.isfile():
                    raise CorruptRecord(f"{archive} has {member.name}, which is no file")
                packed.extract(member, folder, filter="data")
    except tarfile.FilterError as error:
        raise CorruptRecord(f"{archive} would write outside of its folder: {error}") from error
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise CorruptRecord(f"{archive} is no complete {ARCHIVE} file: {error}") from error


async def _restore_facts(file: Path, folder: Path, url: str | None) -> int:
    async with open_graph(folder, url) as graph:
        if await graph.count():
            raise ValueError("the graph at NIGHTSCHOOL_GRAPH_URL holds facts: restore into an empty one")
        with file.open(encoding="utf-8", newline="\n") as lines:
            batch: list[Fact] = []
            for line in lines:
                batch.append(Fact.model_validate_json(line))
                if len(batch) == FACTS_AT_ONCE:
                    await graph.add(batch)
                    batch = []
            await graph.add(batch)
        return await graph.count()

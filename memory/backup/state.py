"""What of a home folder is backed up, and how its graph is reached."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from memory.errors import StoreUnavailable
from memory.semantic import embedded
from memory.semantic.falkor import FalkorSemanticMemory

GRAPH = "graph"
LANCE = "lance"
FACTS = "facts.jsonl"
STATE = "home"
"""Folder in a backup with the files and SQLite databases of the home folder, by their paths in it."""
FOLDERS = ("adapters", "calibrations", "jobs", "keys", "mlruns", "outbox")
"""What of a home folder is copied file by file."""
MODELS = "models"
"""May be in a home folder that a backup is restored to: set-up makes it first."""
LOCKS = ("up.lock", "api.lock", f"{GRAPH}/{embedded.LOCK}", "jobs/worker.lock")
"""Held by the processes of a running service."""


@dataclass(frozen=True)
class State:
    """Where a service keeps its state."""

    home: Path
    databases: tuple[Path, ...]
    """Its SQLite databases, all in the home folder."""
    lance: Mapping[str, str]
    """Folders or URLs of its LanceDB databases by name."""
    graph_url: str | None
    """None for the embedded graph."""
    elsewhere: tuple[str, ...] = ()
    """What a backup leaves out, and how it is backed up."""


def plain_files(home: Path) -> list[Path]:
    """The files of `FOLDERS`, without locks, sockets and links."""
    return [
        path
        for folder in FOLDERS
        for path in sorted((home / folder).rglob("*"))
        if path.is_file() and not path.is_symlink() and path.suffix != ".lock"
    ]


@asynccontextmanager
async def open_graph(folder: Path, url: str | None) -> AsyncIterator[FalkorSemanticMemory]:
    """The graph at the URL, or the embedded one of the folder, whose server is started if it does not run.

    Raises StoreUnavailable.
    """
    if url is not None:
        memory = await FalkorSemanticMemory.open(url)
        try:
            yield memory
        finally:
            await memory.aclose()
        return
    try:
        embedded.prepare(folder, seconds=0.0)
    except StoreUnavailable:  # in use: its server runs
        async with open_graph(folder, f"unix://{embedded.socket_path(folder)}") as memory:
            yield memory
        return
    async with (
        embedded.running(folder),
        open_graph(folder, f"unix://{embedded.socket_path(folder)}") as memory,
    ):
        yield memory

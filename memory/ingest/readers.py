"""Document readers: processes that extract passages and facts, each with a deadline and a memory limit.

A parser's time and memory depend on what a stranger wrote, and Python cannot stop a thread.
"""

import asyncio
import multiprocessing
import os
import resource
import select
import threading
from functools import partial
from pathlib import Path

from pebble import ProcessExpired, ProcessPool

from memory.errors import IngestError
from memory.ingest.documents import RawDocument
from memory.ingest.pipeline import MAX_PASSAGES, read
from memory.ingest.writer import Contents
from memory.records.base import Domain

PROCESSES = 2
"""How many documents are read at once; a further one waits."""
SECONDS = 300.0
"""Default deadline for one document: several times what 5 MB of prose need on one core."""
MEMORY = 2 * 1024**3
"""Bytes that one document may need beside the parser itself; 5 MB of HTML need about a quarter of it."""


class DocumentReaders:
    """A pool of reading processes, started with the first document."""

    def __init__(
        self,
        *,
        seconds: float = SECONDS,
        memory: int = MEMORY,
        most_passages: int = MAX_PASSAGES,
        processes: int = PROCESSES,
    ) -> None:
        self._read = partial(read, most_passages=most_passages)
        self._seconds = seconds
        self._memory = memory
        context = multiprocessing.get_context("forkserver")  # a fork of this process would copy its threads
        context.set_forkserver_preload([__name__])
        self._pool = ProcessPool(
            max_workers=processes, initializer=_start, initargs=(memory, os.getpid()), context=context
        )

    async def read(self, document: RawDocument, domain: Domain, owner: str | None) -> Contents:
        """See `memory.ingest.pipeline.read`. Raises IngestError also beyond the deadline or the memory.

        The deadline counts from when a process takes the document.
        """
        future = self._pool.schedule(self._read, (document, domain, owner), timeout=self._seconds)
        try:
            return await asyncio.wrap_future(future)
        except TimeoutError:
            raise IngestError(
                f"{document.source}: not read within {self._seconds:g} s: split it, or set"
                " NIGHTSCHOOL_DOCUMENT_SECONDS"
            ) from None
        except MemoryError:
            raise IngestError(
                f"{document.source}: reading it needs more than {self._memory // 1024**2} MB of memory: split"
                " it, or save it as Markdown"
            ) from None
        except ProcessExpired as error:
            raise IngestError(
                f"{document.source}: the process that read it ended (exit code {error.exitcode}), which"
                " malformed files or too little memory can cause: split it, or save it as Markdown"
            ) from None

    def close(self) -> None:
        """Ends the processes, and with them what they read."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


def _start(memory: int, parent: int) -> None:
    """Limits this process to `memory` bytes of address space more than it has, and to its parent's life."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + memory
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _end_with(parent: int) -> None:
    """Ends this process once its parent has ended, also if it is killed while a document is read."""
    try:
        watched = os.pidfd_open(parent)
    except ProcessLookupError:
        os._exit(1)
    select.select([watched], [], [])
    os._exit(1)

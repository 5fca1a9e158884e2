"""The service's own database, for commands that work on it directly: the service need not run."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from api.cli.shell import BAD_INPUT, FAILED, disk_trouble, settings, stop

if TYPE_CHECKING:
    from memory.database.database import Database

T = TypeVar("T")


def with_database(work: "Callable[[Database, Path], Awaitable[T]]") -> T:
    """What `work` returns for the open database and the file of the audit log's hashes.

    Errors end the command, with exit code 2 where the input was bad.
    """
    from memory.database.database import open_database
    from memory.errors import StoreUnavailable, UnknownGrant, UnknownKey
    from memory.file_modes import make_home
    from memory.server.audit import HEADS

    configuration = settings()

    async def run() -> T:
        database = await open_database(configuration.relational_url)
        try:
            return await work(database, configuration.path(HEADS))
        finally:
            await database.aclose()

    try:
        make_home(configuration.home)
        return asyncio.run(run())
    except (UnknownGrant, UnknownKey, ValueError) as error:
        stop(str(error), BAD_INPUT)
    except StoreUnavailable as error:
        stop(str(error), FAILED)
    except OSError as error:
        stop(disk_trouble(error), FAILED)

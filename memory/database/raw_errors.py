"""Raw errors of sqlite3 and psycopg, from libraries that pass them on: waited out, then StoreUnavailable.

LangGraph's savers and stores talk to their database themselves. `translates_errors` is the one place where
their errors become ours.
"""

import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout
from tenacity import (
    AsyncRetrying,
    before_sleep_log,
    retry_if_exception,
    stop_after_delay,
    wait_exponential,
)

from memory.errors import StoreUnavailable

log = logging.getLogger(__name__)

RETRY_SECONDS = 10.0
"""How long a call is repeated: a restart of PostgreSQL takes a few seconds."""
RAW_ERRORS = (sqlite3.Error, psycopg.Error)
PASSING_ERRORS = (sqlite3.OperationalError, psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout)
"""Those that may be gone a moment later: a lost connection, a lock, a server that starts."""

Opened = TypeVar("Opened", bound=type)


def translates_errors(
    part: str, *, repeated: Sequence[str] = (), once: Sequence[str] = (), streams: Sequence[str] = ()
) -> Callable[[Opened], Opened]:
    """A class decorator: the named methods raise StoreUnavailable for raw errors of the database.

    `repeated` are idempotent methods, which are called again for up to RETRY_SECONDS; `once` are others, and
    `streams` are async generators.
    """

    def decorate(opened: Opened) -> Opened:
        for name in repeated:
            setattr(opened, name, _repeated(getattr(opened, name), part))
        for name in once:
            setattr(opened, name, _once(getattr(opened, name), part))
        for name in streams:
            setattr(opened, name, _streamed(getattr(opened, name), part))
        return opened

    return decorate


@contextmanager
def store_errors(part: str) -> Iterator[None]:
    """Turns raw errors of the database into StoreUnavailable."""
    try:
        yield
    except RAW_ERRORS as error:
        raise StoreUnavailable(
            f"{part} cannot be used: check that the database runs, and that its disk has space ({error})",
            part=part,
        ) from error


def _repeated(method: Callable[..., Any], part: str) -> Callable[..., Any]:
    @wraps(method)
    async def call(self: Any, *args: Any, **options: Any) -> Any:
        with store_errors(part):
            async for attempt in AsyncRetrying(
                retry=retry_if_exception(_may_pass),
                stop=stop_after_delay(RETRY_SECONDS),
                wait=wait_exponential(multiplier=0.1, max=2),
                before_sleep=before_sleep_log(log, logging.WARNING),
                reraise=True,
            ):
                with attempt:
                    result = await method(self, *args, **options)
            return result

    return call


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, PASSING_ERRORS) and not isinstance(error, PoolClosed)


def _once(method: Callable[..., Any], part: str) -> Callable[..., Any]:
    @wraps(method)
    async def call(self: Any, *args: Any, **options: Any) -> Any:
        with store_errors(part):
            return await method(self, *args, **options)

    return call


def _streamed(method: Callable[..., Any], part: str) -> Callable[..., Any]:
    @wraps(method)
    async def stream(self: Any, *args: Any, **options: Any) -> AsyncIterator[Any]:
        with store_errors(part):
            async for item in method(self, *args, **options):
                yield item

    return stream

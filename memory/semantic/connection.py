"""Connections to FalkorDB: by URL with user, password and TLS, or by the socket of the embedded server."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import redis.asyncio
from falkordb.asyncio import FalkorDB  # type: ignore[import-untyped]
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from memory.errors import StoreUnavailable

CONNECT_SECONDS = 5.0
RETRIES = 5
PART = "the graph"
"""Of the service, in errors that anybody may see."""
SCHEMES = {"falkor": "redis", "falkors": "rediss", "redis": "redis", "rediss": "rediss", "unix": "unix"}
"""Schemes of a graph's URL, and what the Redis client calls them; `falkors` and `rediss` are with TLS."""


def redis_url(url_or_socket: str) -> str:
    """The URL as the Redis client takes it; a path is a socket. Raises ValueError for another scheme."""
    if "://" not in url_or_socket:
        return f"unix://{url_or_socket}"
    scheme, _, rest = url_or_socket.partition("://")
    if scheme not in SCHEMES:
        raise ValueError(
            f"NIGHTSCHOOL_GRAPH_URL starts with {scheme}://: use redis://USER:PASSWORD@HOST:PORT, or rediss://"
            " for TLS"
        )
    return f"{SCHEMES[scheme]}://{rest}"


def shown(url: str) -> str:
    """The URL without user, password and options, as it may be printed and logged."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


async def connect(url_or_socket: str, *, query_seconds: float) -> FalkorDB:
    """A client whose queries may take `query_seconds`. Raises StoreUnavailable, and ValueError for a bad
    URL."""
    url = redis_url(url_or_socket)
    options = {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": query_seconds}
    retry = Retry(ExponentialBackoff(cap=1.0, base=0.05), RETRIES)
    async with store_errors(shown(url)):
        async with redis.asyncio.from_url(url, retry=retry, **options) as probe:
            await probe.ping()  # first, because FalkorDB's constructor tries for a minute
        # In a thread, because the constructor queries the server and blocks.
        client = await asyncio.to_thread(FalkorDB.from_url, url, **options)
    client.connection.set_retry(retry)
    return client


@asynccontextmanager
async def store_errors(what: str) -> AsyncIterator[None]:
    """Turns connection and query errors into StoreUnavailable, with what to do about them."""
    try:
        yield
    except AuthenticationError as error:
        raise StoreUnavailable(
            f"{what} refused the user or password: correct them in NIGHTSCHOOL_GRAPH_URL", part=PART
        ) from error
    except NoPermissionError as error:
        raise StoreUnavailable(
            f"{what} refused a command: give the user of NIGHTSCHOOL_GRAPH_URL all commands on the keys"
            f" nightschool and telemetry* ({error})",
            part=PART,
        ) from error
    except (RedisConnectionError, RedisTimeoutError, OSError) as error:
        raise StoreUnavailable(f"{what} cannot be reached: {_remedy(error)} ({error})", part=PART) from error
    except RedisError as error:
        raise StoreUnavailable(f"{what} refused a query: {error}", part=PART) from error


def _remedy(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                "its certificate is not trusted: add ?ssl_ca_certs=FILE with its authority's certificate to"
                " NIGHTSCHOOL_GRAPH_URL, and use the host name that the certificate is for"
            )
        cause = cause.__cause__ or cause.__context__
    return "start it with `nightschool up`, or correct NIGHTSCHOOL_GRAPH_URL"

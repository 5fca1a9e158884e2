"""A FalkorDB server by URL, with users and TLS.

The packaged server is built without TLS, so a TLS proxy stands before it, as it does in many installations.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import redis.asyncio

from memory.errors import StoreUnavailable
from memory.records.access import EVERYTHING
from memory.semantic.embedded import running, socket_path
from memory.semantic.falkor import FalkorSemanticMemory
from tests.support.certificates import authority
from tests.support.documents import fact

pytestmark = pytest.mark.services

USER, PASSWORD = "library", "sekrit-passwort"


@pytest.fixture
async def graph(tmp_path: Path) -> AsyncIterator[Path]:
    """The socket of a server with one user; anonymous clients are refused."""
    folder = tmp_path / "graph"
    async with running(folder):
        admin = redis.asyncio.Redis(unix_socket_path=str(socket_path(folder)))
        await admin.acl_setuser(
            USER,
            enabled=True,
            passwords=[f"+{PASSWORD}"],
            keys=["nightschool", "telemetry*"],
            categories=["+@all"],
        )
        await admin.acl_setuser("reader", enabled=True, passwords=[f"+{PASSWORD}"], categories=["+@read"])
        await admin.execute_command("ACL", "SETUSER", "default", "resetpass", "off")
        yield socket_path(folder)
        await admin.aclose()


@asynccontextmanager
async def proxy(socket: Path, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Host and port of loopback that lead to the socket."""

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ssl.SSLError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(socket)
        await asyncio.gather(pipe(reader, inner_writer), pipe(inner_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def test_a_user_with_password_over_tls_writes_reads_and_purges(graph: Path, tmp_path: Path) -> None:
    ca, context = authority(tmp_path)
    async with proxy(graph, context) as address:
        url = f"rediss://{USER}:{PASSWORD}@{address}?ssl_ca_certs={ca}"
        memory = await FalkorSemanticMemory.open(url)
        assert await memory.add([fact("thing", "a thing")]) == 1
        assert len(await memory.about(["thing"], access=EVERYTHING)) == 1
        await memory.purge()
        await memory.aclose()


@pytest.mark.parametrize(
    ("user", "hint"),
    [(f"{USER}:wrong-sekrit@", "user or password"), ("", "user or password"), (f"reader:{PASSWORD}@", "all")],
)
async def test_a_wrong_user_is_named_without_its_password(graph: Path, user: str, hint: str) -> None:
    async with proxy(graph) as address:
        with pytest.raises(StoreUnavailable, match=hint) as raised:
            await FalkorSemanticMemory.open(f"redis://{user}{address}")
    assert "NIGHTSCHOOL_GRAPH_URL" in str(raised.value)
    assert "sekrit" not in str(raised.value)


async def test_a_certificate_that_is_not_trusted_says_how_to_trust_it(graph: Path, tmp_path: Path) -> None:
    ca, context = authority(tmp_path)
    async with proxy(graph, context) as address:
        for url in (address, f"{address.replace('127.0.0.1', 'localhost')}?ssl_ca_certs={ca}"):
            with pytest.raises(StoreUnavailable, match="ssl_ca_certs=FILE") as raised:
                await FalkorSemanticMemory.open(f"rediss://{USER}:{PASSWORD}@{url}")
            assert "sekrit" not in str(raised.value)


async def test_another_scheme_is_a_bad_setting() -> None:
    with pytest.raises(ValueError, match="rediss://") as raised:
        await FalkorSemanticMemory.open(f"postgresql://{USER}:{PASSWORD}@127.0.0.1/x")
    assert "sekrit" not in str(raised.value)

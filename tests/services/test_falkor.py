"""The embedded graph store loses nothing that it acknowledged, and says so when it is away."""

import asyncio
import signal
from pathlib import Path

import pytest

from memory import unix_sockets
from memory.errors import StoreUnavailable
from memory.records.access import EVERYTHING
from memory.semantic.embedded import command, prepare, running, socket_path, wait_ready
from memory.semantic.falkor import FalkorSemanticMemory
from tests.support.documents import fact

pytestmark = pytest.mark.services


async def test_a_kill_loses_nothing_acknowledged_and_the_client_finds_its_way_back(tmp_path: Path) -> None:
    folder = tmp_path / "graph"
    acknowledged: list[str] = []
    enough = asyncio.Event()
    async with running(folder) as server:
        memory = await FalkorSemanticMemory.open(str(socket_path(folder)))

        async def write() -> None:
            for n in range(10_000):
                await memory.add([fact(f"thing {n}", "a thing")])
                acknowledged.append(f"thing {n}")
                if n == 100:
                    enough.set()

        writing = asyncio.create_task(write())
        await enough.wait()
        server.send_signal(signal.SIGKILL)
        await server.wait()
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            await writing
    async with running(folder):
        kept = {f.subject for f in await memory.about(["a thing"], limit=20_000, access=EVERYTHING)}
        assert kept >= set(acknowledged)
        assert await memory.add([fact("one more", "a thing")]) == 1
        assert await memory.add([fact("thing 1", "a thing")]) == 0
        await memory.aclose()


async def test_calls_while_the_store_is_away_fail_within_seconds(tmp_path: Path) -> None:
    async with running(tmp_path / "graph"):
        memory = await FalkorSemanticMemory.open(str(socket_path(tmp_path / "graph")))
    async with asyncio.timeout(15):
        for call in (
            memory.about(["x"], access=EVERYTHING),
            memory.add([fact("x", "a y")]),
            memory.remove("s", domain="rust"),
        ):
            with pytest.raises(StoreUnavailable):
                await call
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        await FalkorSemanticMemory.open(str(socket_path(tmp_path / "graph")))
    await memory.aclose()


async def test_two_clients_that_add_the_same_facts_leave_one_of_each(tmp_path: Path) -> None:
    """Each client serialises its own writes; between them only the graph's constraints stand."""
    folder = tmp_path / "graph"
    facts = [fact(f"thing {n}", "a thing") for n in range(200)]
    async with running(folder):
        clients = [await FalkorSemanticMemory.open(str(socket_path(folder))) for _ in range(3)]
        await asyncio.gather(*(client.add(facts) for client in clients))
        found = await clients[0].about(["a thing"], access=EVERYTHING, limit=1000)
        assert len(found) == len({f.id for f in found}) == 200
        assert await clients[1].remove("a.md", domain="rust") == 200
        for client in clients:
            await client.aclose()


async def test_thousands_of_facts_are_forgotten_but_for_those_to_keep(tmp_path: Path) -> None:
    facts = [fact(f"thing {n}", "a thing") for n in range(5000)]
    async with running(tmp_path / "graph"):
        memory = await FalkorSemanticMemory.open(str(socket_path(tmp_path / "graph")))
        await memory.add(facts)
        assert await memory.remove("a.md", domain="rust", keep={f.id for f in facts[1000:]}) == 1000
        assert len(await memory.about(["a thing"], limit=10_000, access=EVERYTHING)) == 4000
        await memory.aclose()


async def test_it_listens_on_a_private_socket_only(tmp_path: Path) -> None:
    async with running(tmp_path / "graph"):
        assert socket_path(tmp_path / "graph").stat().st_mode & 0o077 == 0
    arguments = command(tmp_path / "graph")
    assert arguments[arguments.index("--port") + 1] == "0"


async def test_a_folder_with_a_long_name_gets_a_short_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("n" * 120)
    assert len(str(socket_path(folder))) <= unix_sockets.LONGEST
    async with running(folder):
        memory = await FalkorSemanticMemory.open(str(socket_path(folder)))
        assert await memory.add([fact("x", "a y")]) == 1
        await memory.aclose()
    assert any((folder / "appendonlydir").iterdir())


async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    folder = tmp_path / "graph"
    (folder / "appendonlydir").mkdir(parents=True)
    (folder / "appendonlydir" / "appendonly.aof.manifest").write_text("rubbish\n")
    with pytest.raises(StoreUnavailable, match="exit code"):
        async with running(folder):
            pass


async def test_waiting_for_a_server_that_never_comes_ends(tmp_path: Path) -> None:
    prepare(tmp_path / "graph")
    with pytest.raises(StoreUnavailable, match="did not answer"):
        await wait_ready(tmp_path / "graph", seconds=0.2)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "graph").write_text("")
    with pytest.raises(StoreUnavailable, match="cannot be created"):
        prepare(tmp_path / "graph")


async def test_a_second_server_on_a_folder_is_refused_and_leaves_the_first_its_socket(tmp_path: Path) -> None:
    folder = tmp_path / "graph"
    async with running(folder) as first:
        with pytest.raises(StoreUnavailable, match="another graph server uses"):
            prepare(folder, seconds=0.1)
        late = await asyncio.create_subprocess_exec(*command(folder), stderr=asyncio.subprocess.PIPE)
        _, error = await late.communicate()
        assert late.returncode == 1
        assert b"another graph server uses" in error
        await wait_ready(folder)
        first.kill()  # the lock of a killed server becomes free when the system has cleared it away
        async with running(folder):
            await wait_ready(folder)

"""What is done to a LanceDB table as a whole leaves the rows that should stay as they were."""

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from lancedb.index import FTS
from lancedb.table import AsyncTable

from memory.vector_tables import Maintenance, open_table, purge

pytestmark = pytest.mark.services


async def test_a_purge_removes_deleted_rows_from_the_disk_and_changes_no_other(tmp_path: Path) -> None:
    table = await open_table(tmp_path, "notes", ("id", "body"), 2, what="the notes", remedy="remove it")
    rows = [
        {"id": f"note-{number}", "body": f"zorble{number}", "owner": None, "vector": [number, 0.5]}
        for number in range(5)
    ]
    await table.add(rows)
    await table.create_index("body", config=FTS())
    await table.delete("id = 'note-3'")
    await purge(table, {"body": FTS()})
    kept = [row for row in rows if row["id"] != "note-3"]
    assert sorted(await table.query().to_list(), key=lambda row: row["id"]) == kept
    files = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]  # noqa: ASYNC240
    assert files
    for trace in ("note-3", "zorble3"):
        assert not any(trace.encode() in content for content in files), trace
    found = await table.query().nearest_to_text("zorble4", columns="body").select(["id"]).to_list()
    assert [row["id"] for row in found] == ["note-4"]


async def test_files_of_replaced_indices_do_not_stay_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory.vector_tables.VERSIONS_CACHED", 20)
    table = await open_table(tmp_path, "notes", ("id", "body"), 2, what="the notes", remedy="remove it")
    await table.create_index("body", config=FTS())
    counts = [len(_open_files(tmp_path)) async for _ in _busy(table, Maintenance(table), turns=40)]
    assert max(counts) > 1, "else this says nothing"
    assert max(counts[20:]) <= max(counts[:20]) + 1


async def test_a_purge_keeps_no_deleted_file_open(tmp_path: Path) -> None:
    table = await open_table(tmp_path, "notes", ("id", "body"), 2, what="the notes", remedy="remove it")
    await table.create_index("body", config=FTS())
    async for _ in _busy(table, Maintenance(table), turns=20):
        pass
    assert _open_files(tmp_path), "else this says nothing"
    await table.delete("id != 'note-0'")
    await purge(table, {"body": FTS()})
    assert not [file for file in _open_files(tmp_path) if "deleted" in file]
    assert await table.count_rows() == 1


async def _busy(table: AsyncTable, maintenance: Maintenance, *, turns: int) -> AsyncIterator[None]:
    """Adds rows, maintains the table and searches it, turn by turn."""
    for turn in range(turns):
        for number in range(turn * 4, turn * 4 + 4):
            row = {"id": f"note-{number}", "body": f"zorble {number}", "owner": None, "vector": [1.0, 0.5]}
            rows = pa.Table.from_pylist([row], schema=await table.schema())
            await table.merge_insert("id").when_not_matched_insert_all().execute(rows)
        await maintenance.run()
        query = table.query().nearest_to_text("zorble", columns="body").select(["id", "_score"])
        assert len(await query.limit(1000).to_list()) == turn * 4 + 4
        yield


def _open_files(folder: Path) -> list[str]:
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            found.append(str(link.readlink()))
    return [file for file in found if file.startswith(str(folder))]

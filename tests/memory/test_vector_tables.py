"""What is done to a LanceDB table as a whole leaves the rows that should stay as they were."""

from pathlib import Path

import pytest
from lancedb.index import FTS

from memory.vector_tables import open_table, purge

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

"""`nightschool audit` reads the database itself, and its exit code says whether the log is intact."""

import asyncio
import json
from pathlib import Path

from memory.database.database import open_database
from memory.server.audit import HEADS, AuditLog
from tests.support.commands import run


def write(home: Path) -> None:
    async def record() -> None:
        database = await open_database(f"sqlite:///{home / 'nightschool.db'}")
        audit = AuditLog(database, home / HEADS)
        await audit.record("promote", by="ann", subject="pumps-v1")
        await audit.record("rollback", by="bob", subject="pumps")
        await database.aclose()

    asyncio.run(record())


def test_rows_are_listed_and_verified_until_the_end_is_cut_off(tmp_path: Path) -> None:
    write(tmp_path)
    listed = run("audit", "list", "--by", "ann", "--json", NIGHTSCHOOL_HOME=str(tmp_path))
    assert [json.loads(line)["subject"] for line in listed.stdout.splitlines()] == ["pumps-v1"]
    assert "rollback" in run("audit", "list", NIGHTSCHOOL_HOME=str(tmp_path)).stdout
    intact = run("audit", "verify", NIGHTSCHOOL_HOME=str(tmp_path))
    assert (intact.returncode, intact.stdout.strip()) == (0, "2 rows, all as they were written.")
    (tmp_path / "nightschool.db").unlink()
    broken = run("audit", "verify", NIGHTSCHOOL_HOME=str(tmp_path))
    assert broken.returncode == 1
    assert "row 1 is missing" in broken.stderr

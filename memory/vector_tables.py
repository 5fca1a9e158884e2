"""LanceDB tables of texts with vectors: opens and compacts them, and translates their errors."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import lancedb
import pyarrow as pa  # type: ignore[import-untyped]
from lancedb.index import FTS
from lancedb.table import AsyncTable

from memory.errors import StoreUnavailable
from memory.records.access import Access

WRITES_PER_COMPACTION = 20
"""LanceDB recommends to optimize after more than 20 modifications."""
KEEP_VERSIONS = timedelta(hours=1)
"""How long old table versions stay, for readers that started on them."""
OWNER = "owner"
"""Column with the owner of a row; null if the row is shared."""
PURGE_SECONDS = 1.0
"""How long a search may still use what is purged."""
MAX_IDS = 500
"""Ids in one filter expression."""


async def open_table(
    path: Path | str, name: str, texts: Sequence[str], dimension: int, *, what: str, remedy: str
) -> AsyncTable:
    """Opens a table of a folder or an s3:// URL, and creates it if missing.

    It has these text columns, `owner`, which may be null, and a `vector`. A table without owners gets them:
    its rows are shared. `what` names its rows in messages. Raises StoreUnavailable, with `remedy` if the
    stored vectors have another dimension.
    """
    fields = [pa.field(text, pa.string(), nullable=False) for text in texts]
    fields.append(pa.field(OWNER, pa.string()))
    vector = pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False)
    async with store_errors(f"{what} in {path}"):
        connection = await lancedb.connect_async(str(path), read_consistency_interval=timedelta(0))
        if name in (await connection.list_tables()).tables:
            table = await connection.open_table(name)
        else:
            table = await connection.create_table(name, schema=pa.schema([*fields, vector]))
        schema = await table.schema()
        if OWNER not in schema.names:
            await table.add_columns({OWNER: "CAST(NULL AS string)"})
        if schema.field("vector").type.list_size != dimension:
            raise StoreUnavailable(f"{what} in {path} were embedded by another model: {remedy}")
    return table


async def compact(table: AsyncTable, writes: int) -> None:
    """Compacts the table after every WRITES_PER_COMPACTION: many small fragments make every search slow."""
    if writes % WRITES_PER_COMPACTION == 0:
        await table.optimize(cleanup_older_than=KEEP_VERSIONS)


async def purge(table: AsyncTable, indexed: str | None = None) -> None:
    """Rewrites the table's files, so that no deleted row is left in them, and its full-text index, if any.

    LanceDB's own compaction leaves a file as it is while under a tenth of its rows are deleted. One row is
    therefore moved to a file of its own, which is then merged with the others. Fragments of more than a
    million rows are not rewritten.
    """
    if rows := await table.query().select(["id"]).limit(1).to_list():
        await table.update({"id": "id"}, where=f"id = {quoted(rows[0]['id'])}")
    await table.optimize()  # indexes the moved row: rows are merged only with those of the same indices
    await table.optimize()
    if indexed is not None:
        await table.create_index(indexed, config=FTS(), replace=True)
    await asyncio.sleep(PURGE_SECONDS + 0.5)
    await table.optimize(cleanup_older_than=timedelta(seconds=PURGE_SECONDS), delete_unverified=True)


def readable_rows(access: Access, domain: str | None = None) -> str:
    """The filter of the rows that `access.may_read`, of one domain or of all; empty if those are all rows."""
    conditions = [] if domain is None else [f"domain = {quoted(domain)}"]
    if not access.everything:
        theirs = "" if access.owner is None else f" OR owner = {quoted(access.owner)}"
        conditions.append(f"(owner IS NULL{theirs})")
    if access.hidden:
        conditions.append(f"domain NOT IN ({', '.join(map(quoted, sorted(access.hidden)))})")
    return " AND ".join(conditions)


def quoted(value: str) -> str:
    """A string literal for a LanceDB filter; a doubled quote is the dialect's only escape."""
    return "'" + value.replace("'", "''") + "'"


@asynccontextmanager
async def store_errors(what: str) -> AsyncIterator[None]:
    """Turns LanceDB's disk and format errors (OSError, RuntimeError, ValueError) into StoreUnavailable."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        raise StoreUnavailable(
            f"{what}: LanceDB failed; check that its folder is writable and has space ({error})",
            part="the vector store",
        ) from error

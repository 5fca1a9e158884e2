"""LanceDB tables of texts with vectors: opens and compacts them, and translates their errors."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import lancedb
import pyarrow as pa  # type: ignore[import-untyped]
from lancedb.index import FTS, BTree, IvfFlat
from lancedb.table import AsyncTable

from memory.errors import StoreUnavailable
from memory.records.access import Access

IndexConfigs = Mapping[str, FTS | BTree | IvfFlat]
"""How each column of a table is indexed."""
WRITES_PER_COMPACTION = 20
"""LanceDB recommends to optimize after more than 20 modifications."""
KEEP_VERSIONS = timedelta(hours=1)
"""How long old table versions stay, for readers that started on them."""
VERSIONS_CACHED = 200
"""Versions of a table after which its caches are emptied; about one in six has a file that stays open."""
OWNER = "owner"
"""Column with the owner of a row; null if the row is shared."""
UNIQUE = {"lance-schema:unenforced-primary-key": "true"}
"""Marks the column of `merge_insert`. Two writers of one new id then conflict, and the later one tries again;
without it both rows would stay."""
PURGE_SECONDS = 1.0
"""How long a search may still use what is purged."""
ROWS_COPIED = 10_000
"""Rows that a copy writes at once."""
MAX_IDS = 500
"""Ids in one filter expression."""


async def open_table(
    path: Path | str,
    name: str,
    texts: Sequence[str],
    dimension: int,
    *,
    what: str,
    remedy: str,
    others: Sequence[pa.Field] = (),
) -> AsyncTable:
    """Opens a table of a folder or an s3:// URL, and creates it if missing.

    It has these text columns, of which `id` is unique, `owner` and `others`, which may be null, and a
    `vector`. A table that lacks columns that may be null gets them; rows without an owner are shared. `what`
    names its rows in messages. Raises StoreUnavailable, with `remedy` if the stored vectors have another
    dimension.
    """
    fields = [
        pa.field(text, pa.string(), nullable=False, metadata=UNIQUE if text == "id" else None)
        for text in texts
    ]
    nullable = [pa.field(OWNER, pa.string()), *others]
    vector = pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False)
    async with store_errors(f"{what} in {path}"):
        connection = await lancedb.connect_async(str(path), read_consistency_interval=timedelta(0))
        if name in (await connection.list_tables()).tables:
            table = await connection.open_table(name)
        else:
            table = await connection.create_table(name, schema=pa.schema([*fields, *nullable, vector]))
        schema = await table.schema()
        if missing := [field for field in nullable if field.name not in schema.names]:
            await table.add_columns(missing)
        if schema.field("vector").type.list_size != dimension:
            raise StoreUnavailable(f"{what} in {path} were embedded by another model: {remedy}")
    return table


async def copy_database(source: str, target: Path | str) -> dict[str, int]:
    """Copies all tables, each as it is now, to a folder or URL where they do not exist; returns their rows.

    Others may write meanwhile. Indices are not copied. Raises StoreUnavailable.
    """
    counts: dict[str, int] = {}
    async with store_errors(f"the tables in {source}"):
        if "://" not in source and not await asyncio.to_thread(Path(source).is_dir):
            return counts
        original, copy = await lancedb.connect_async(source), await lancedb.connect_async(str(target))
        for name in (await original.list_tables()).tables:
            table = await original.open_table(name)
            await table.checkout(await table.version())  # what comes later is not copied
            new = await copy.create_table(name, schema=await table.schema())
            batches: list[pa.RecordBatch] = []
            async for batch in await table.query().to_batches():
                batches.append(batch)
                if sum(each.num_rows for each in batches) >= ROWS_COPIED:
                    await new.add(pa.Table.from_batches(batches))
                    batches = []
            if batches:
                await new.add(pa.Table.from_batches(batches))
            counts[name] = await new.count_rows()
    return counts


class Maintenance:
    """Compacts a table, removes versions that have become old, and closes the files of replaced indices."""

    def __init__(self, table: AsyncTable, clock: Callable[[], float] = time.monotonic) -> None:
        self._table = table
        self._clock = clock
        self._version = -1
        self._renewed = -1
        """The version at which the caches were empty; -1 before the first compaction."""
        self._done_at = float("-inf")

    async def after_write(self, writes: int) -> bool:
        """Compacts the table after every WRITES_PER_COMPACTION: many small fragments make every search slow.

        Returns whether it did.
        """
        due = writes % WRITES_PER_COMPACTION == 0
        if due:
            await self._optimize()
        return due

    async def run(self) -> None:
        """Optimizes the table if it changed since the last time, or old versions may have to go."""
        aged = self._clock() - self._done_at > KEEP_VERSIONS.total_seconds()
        if aged or await self._table.version() != self._version:
            await self._optimize()
            self._version, self._done_at = await self._table.version(), self._clock()

    async def _optimize(self) -> None:
        await self._table.optimize(cleanup_older_than=KEEP_VERSIONS)
        version = await self._table.version()
        if self._renewed < 0:
            self._renewed = version
        elif version - self._renewed >= VERSIONS_CACHED:
            await empty_caches(self._table)
            self._renewed = version


async def empty_caches(table: AsyncTable) -> None:
    """Opens the table anew, with empty caches; searches that run meanwhile end on the old ones.

    LanceDB caches up to 7 GB a connection, and in it each index that was replaced, with its open files: also
    of those that were deleted, so that their text stays on the disk. A cache can only be left.
    """
    folder, _, name = (await table.uri()).rpartition("/")
    connection = await lancedb.connect_async(folder, read_consistency_interval=timedelta(0))
    table._inner = (await connection.open_table(name.removesuffix(".lance")))._inner


async def purge(table: AsyncTable, indices: IndexConfigs | None = None) -> None:
    """Rewrites the table's files, so that no deleted row is left in them, nor in its indices, if they exist.

    LanceDB's own compaction leaves a file as it is while under a tenth of its rows are deleted. One row is
    therefore moved to a file of its own, which is then merged with the others. Fragments of more than a
    million rows are not rewritten.
    """
    if rows := await table.query().select(["id"]).limit(1).to_list():
        await table.update(updates_sql={"id": "id"}, where=f"id = {quoted(rows[0]['id'])}")
    await table.optimize()  # indexes the moved row: rows are merged only with those of the same indices
    await table.optimize()
    indexed = {column for index in await table.list_indices() for column in index.columns}
    for column, config in (indices or {}).items():
        if column in indexed:
            await table.create_index(column, config=config, replace=True)
    await asyncio.sleep(PURGE_SECONDS + 0.5)
    await table.optimize(cleanup_older_than=timedelta(seconds=PURGE_SECONDS), delete_unverified=True)
    await empty_caches(table)


def readable_rows(access: Access, domain: str | None = None) -> str:
    """The filter of the rows that `access.may_read`, of one domain or of all; empty if those are all rows."""
    conditions = [] if domain is None else [f"domain = {quoted(domain)}"]
    if not access.everything:
        theirs = "" if access.owner is None else f" OR owner = {quoted(access.owner)}"
        conditions.append(f"(owner IS NULL{theirs})")
    if access.hidden:
        conditions.append(f"domain NOT IN ({', '.join(map(quoted, sorted(access.hidden)))})")
    return " AND ".join(conditions)


def of_document(source: str, domain: str, owner: str | None) -> str:
    """The filter of the rows of one owner's document."""
    theirs = f"{OWNER} IS NULL" if owner is None else f"{OWNER} = {quoted(owner)}"
    return f"source = {quoted(source)} AND domain = {quoted(domain)} AND {theirs}"


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
            f"{what}: LanceDB failed; {_remedy(str(error))}", part="the vector store"
        ) from error


def _remedy(error: str) -> str:
    """What to do about an error of LanceDB; those of a storage by URL are dumps of many lines."""
    codes = re.findall(r"<Code>(\w+)</Code>", error)
    if codes:
        return f"the storage answered {codes[-1]}: check NIGHTSCHOOL_LIBRARY_URL and the AWS_ variables"
    if "s3://" in error or 'store: "S3"' in error:
        return (
            "the storage cannot be reached: check AWS_ENDPOINT_URL, AWS_REGION and AWS_ALLOW_HTTP"
            f" ({error[:300]})"
        )
    return f"check that its folder is writable and has space ({error})"

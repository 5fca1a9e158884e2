"""The size of a page of rows whose JSON clients chose: known before they are read, so none fills memory."""

from typing import Any

from sqlalchemy import ColumnElement, Select, Text, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

MOST_BYTES = 32_000_000
"""Of the JSON of one page. A reply takes a few times as much memory while it is made."""


async def require_small_page(
    connection: AsyncConnection, page: Select[Any], *columns: ColumnElement[Any]
) -> None:
    """Raises ValueError if these JSON columns of the page's rows have more than MOST_BYTES together."""
    lengths = (func.coalesce(func.length(cast(column, Text)), 0) for column in columns)
    sizes = page.with_only_columns(sum(lengths, start=func.length("")).label("size")).subquery()
    require_small(int(await connection.scalar(select(func.sum(sizes.c.size))) or 0))


def require_small(size: int) -> None:
    """Raises ValueError for so many bytes."""
    if size > MOST_BYTES:
        raise ValueError(
            f"the page would have {size:,} bytes or more (limit {MOST_BYTES:,}): ask for fewer with `limit`"
        )

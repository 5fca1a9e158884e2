"""SQL conditions for the rows that a caller may see, by `memory.records.access`."""

from sqlalchemy import ColumnElement, Table, and_, or_, true

from memory.records.access import Access


def usable_rows(access: Access, table: Table) -> ColumnElement[bool]:
    """The condition for the rows of domains that `access.may_use`; the table has the column `domain`."""
    return table.c.domain.not_in(access.hidden) if access.hidden else true()


def readable_rows(access: Access, table: Table) -> ColumnElement[bool]:
    """The condition for the rows that `access.may_read`; the table has the columns `owner` and `domain`."""
    if access.everything:
        return true()
    owned = or_(table.c.owner.is_(None), table.c.owner == access.owner)
    return and_(owned, usable_rows(access, table))

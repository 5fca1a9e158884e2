"""Gaps that are merged into others."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column."""
    op.add_column("gaps", sa.Column("merged_into", sa.Text))


def downgrade() -> None:
    """Drops it: merged gaps are then dismissed ones."""
    op.drop_column("gaps", "merged_into")

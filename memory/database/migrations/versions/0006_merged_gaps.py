"""Adds the column gaps.merged_into."""

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
    """Drops the column; merged gaps then count as dismissed."""
    op.drop_column("gaps", "merged_into")

"""The process that works on a run."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column."""
    op.add_column("thread_runs", sa.Column("worker", sa.Text))


def downgrade() -> None:
    """Drops it."""
    op.drop_column("thread_runs", "worker")

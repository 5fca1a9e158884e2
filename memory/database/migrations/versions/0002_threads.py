"""Adds the tables threads, thread_runs and run_events."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the three tables; a unique index allows only one running run per thread."""
    op.create_table(
        "threads",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.Column("state_updated_at", sa.Float, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("values", sa.JSON(none_as_null=True)),
        sa.Column("interrupts", sa.JSON, nullable=False),
        sa.Column("error", sa.JSON(none_as_null=True)),
        sa.Column("ttl_minutes", sa.Float),
        sa.Column("ttl_strategy", sa.Text),
        sa.Column("expires_at", sa.Float),
    )
    op.create_index("threads_by_time", "threads", ["updated_at"])
    op.create_index("threads_that_expire", "threads", ["expires_at"])
    op.create_table(
        "thread_runs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("thread_id", sa.Text, sa.ForeignKey("threads.id", ondelete="CASCADE"), nullable=False),
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("graph_id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("strategy", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.Column("starts_at", sa.Float, nullable=False),
        sa.Column("cancel", sa.Text),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("error", sa.JSON(none_as_null=True)),
        sa.Column("checkpoint_id", sa.Text),
    )
    running = sa.text("status = 'running'")
    op.create_index(
        "one_active_run_per_thread",
        "thread_runs",
        ["thread_id"],
        unique=True,
        sqlite_where=running,
        postgresql_where=running,
    )
    op.create_index("runs_of_thread", "thread_runs", ["thread_id", "created_at"])
    unfinished = sa.text("status IN ('pending', 'running')")
    op.create_index(
        "unfinished_runs",
        "thread_runs",
        ["status", "starts_at"],
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
    op.create_table(
        "run_events",
        sa.Column("run_id", sa.Text, sa.ForeignKey("thread_runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drops the three tables with their data."""
    for table in ("run_events", "thread_runs", "threads"):
        op.drop_table(table)

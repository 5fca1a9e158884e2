"""Adds verifications and approvals of what is trained, who asked for a run, and owners of assistants."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates two tables and three columns; what is there already was asked for by nobody known."""
    op.create_table(
        "verifications",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("verified_at", sa.Float, nullable=False),
    )
    op.create_table(
        "approvals",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("act", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("approved_by", sa.Text, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("approved_at", sa.Float, nullable=False),
    )
    op.add_column("runs", sa.Column("asked_by", sa.Text))
    op.add_column("thread_runs", sa.Column("asked_by", sa.Text))
    op.add_column("assistants", sa.Column("owner", sa.Text))


def downgrade() -> None:
    """Removes them."""
    op.drop_column("assistants", "owner")
    op.drop_column("thread_runs", "asked_by")
    op.drop_column("runs", "asked_by")
    op.drop_table("approvals")
    op.drop_table("verifications")

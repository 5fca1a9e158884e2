"""Adds the tables perspectives and perspective_documents."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the tables and an index."""
    op.create_table(
        "perspectives",
        sa.Column("domain", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("weight", sa.Float, nullable=False),
    )
    op.create_table(
        "perspective_documents",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("name", sa.Text, nullable=False),
    )
    op.create_index("perspective_documents_by_name", "perspective_documents", ["domain", "name"])


def downgrade() -> None:
    """Drops them; documents then speak from no perspective."""
    op.drop_table("perspective_documents")
    op.drop_table("perspectives")

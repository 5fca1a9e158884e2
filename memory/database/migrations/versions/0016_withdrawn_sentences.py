"""Adds the table withdrawn_sentences."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the table and its index."""
    op.create_table(
        "withdrawn_sentences",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_index("withdrawn_sentences_by_document", "withdrawn_sentences", ["source", "domain"])


def downgrade() -> None:
    """Drops it; the sentences come back when their documents are ingested again."""
    op.drop_table("withdrawn_sentences")

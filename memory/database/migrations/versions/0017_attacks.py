"""Adds the table attacks."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the table and its indexes."""
    op.create_table(
        "attacks",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("night_id", sa.Text, nullable=False),
        sa.Column("interaction_id", sa.Text, sa.ForeignKey("interactions.id", ondelete="CASCADE")),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_index("attacks_of_night", "attacks", ["night_id"])
    op.create_index("attacks_of_interaction", "attacks", ["interaction_id"])
    op.create_index("attacks_by_domain", "attacks", ["domain", "created_at"])


def downgrade() -> None:
    """Drops it; the next nights attack anew."""
    op.drop_table("attacks")

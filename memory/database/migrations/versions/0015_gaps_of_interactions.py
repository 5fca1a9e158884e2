"""Adds the column interactions.gap_id, so that how often a gap's question was asked can be counted."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column, filled from the bodies, and its index."""
    op.add_column("interactions", sa.Column("gap_id", sa.Text))
    op.execute("UPDATE interactions SET gap_id = body ->> 'gap_id'")
    op.create_index("interactions_by_gap", "interactions", ["gap_id"])


def downgrade() -> None:
    """Removes both."""
    op.drop_index("interactions_by_gap", "interactions")
    op.drop_column("interactions", "gap_id")

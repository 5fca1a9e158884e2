"""Adds the column approvals.signature."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column; an approval without a signature has to be given again."""
    op.add_column("approvals", sa.Column("signature", sa.Text))


def downgrade() -> None:
    """Removes it."""
    op.drop_column("approvals", "signature")

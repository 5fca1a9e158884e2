"""Adds the table grants, and the column gaps.owner."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

NOT_CLOSED = sa.text("status <> 'closed'")


def upgrade() -> None:
    """Adds the table and the column; two owners may then have a gap each for the same question."""
    op.create_table(
        "grants",
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("domain", sa.Text, primary_key=True),
        sa.Column("write", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.add_column("gaps", sa.Column("owner", sa.Text))
    op.drop_index("one_gap_per_question", "gaps")
    _index("domain", "question_key", sa.text("coalesce(owner, '')"))


def downgrade() -> None:
    """Drops both, and all but one of the gaps for the same question of a domain."""
    op.drop_index("one_gap_per_question", "gaps")
    op.execute(
        "DELETE FROM gaps WHERE status <> 'closed' AND owner IS NOT NULL AND id NOT IN (SELECT min(id) FROM"
        " gaps WHERE status <> 'closed' GROUP BY domain, question_key)"
    )
    op.drop_column("gaps", "owner")
    _index("domain", "question_key")
    op.drop_table("grants")


def _index(*columns: str | sa.TextClause) -> None:
    op.create_index(
        "one_gap_per_question",
        "gaps",
        list(columns),
        unique=True,
        sqlite_where=NOT_CLOSED,
        postgresql_where=NOT_CLOSED,
    )

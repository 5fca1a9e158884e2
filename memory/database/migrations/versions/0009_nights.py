"""Adds nights and what they make: scores, revisions, statements, topics, golden pairs and surprise."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables; unique indexes allow one running night, and one unfinished night per domain."""
    op.create_table(
        "nights",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
        sa.Column("began_at", sa.Float, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_index("nights_by_time", "nights", ["began_at"])
    for name, column, condition in (
        ("one_running_night", "status", "status = 'running'"),
        ("one_unfinished_night_per_domain", "domain", "status IN ('waiting', 'running')"),
    ):
        where = sa.text(condition)
        op.create_index(name, "nights", [column], unique=True, sqlite_where=where, postgresql_where=where)
    op.create_table(
        "answer_scores",
        sa.Column(
            "interaction_id", sa.Text, sa.ForeignKey("interactions.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("scorer", sa.Text, primary_key=True),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "revisions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("night_id", sa.Text, nullable=False),
        sa.Column(
            "interaction_id", sa.Text, sa.ForeignKey("interactions.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_index("revisions_of_night", "revisions", ["night_id"])
    op.create_index("revisions_of_interaction", "revisions", ["interaction_id"])
    op.create_index("revisions_by_status", "revisions", ["status", "created_at"])
    op.create_table(
        "statements",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("said_at", sa.Float, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_index("statements_by_unit", "statements", ["unit", "said_at"])
    op.create_table(
        "forgotten_units",
        sa.Column("unit", sa.Text, primary_key=True),
        sa.Column("forgotten_at", sa.Float, nullable=False),
    )
    op.create_table(
        "topics",
        sa.Column("night_id", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("priority", sa.Float, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_index("topics_by_domain", "topics", ["domain", "created_at"])
    op.create_table(
        "golden_pairs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("night_id", sa.Text, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_index("golden_pairs_by_domain", "golden_pairs", ["domain", "created_at"])
    op.create_index("golden_pairs_by_status", "golden_pairs", ["status", "created_at"])
    op.create_table(
        "surprises",
        sa.Column("domain", sa.Text, primary_key=True),
        sa.Column("item", sa.Text, primary_key=True),
        sa.Column("body", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    """Drops them."""
    for table in (
        "surprises",
        "golden_pairs",
        "topics",
        "forgotten_units",
        "statements",
        "revisions",
        "answer_scores",
        "nights",
    ):
        op.drop_table(table)

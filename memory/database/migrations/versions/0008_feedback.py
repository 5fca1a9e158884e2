"""Adds feedback, annotation and experiments, and the unit, owner and outcome of an interaction."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables; a unique index allows only one running experiment per domain."""
    for name in ("unit", "owner", "outcome"):
        op.add_column("interactions", sa.Column(name, sa.Text))
    outcome = (
        "json_extract(body, '$.outcome')" if op.get_bind().dialect.name == "sqlite" else "body ->> 'outcome'"
    )
    op.execute(f"UPDATE interactions SET outcome = {outcome}")
    op.drop_index("interactions_by_time", "interactions")
    op.create_index("interactions_by_time", "interactions", ["created_at", "id"])
    op.create_index("interactions_by_unit", "interactions", ["unit", "created_at"])
    op.create_table(
        "feedback",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column(
            "interaction_id", sa.Text, sa.ForeignKey("interactions.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_index("feedback_by_interaction", "feedback", ["interaction_id", "created_at"])
    op.create_index("feedback_by_time", "feedback", ["created_at"])
    op.create_table(
        "annotation_items",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("batch", sa.Text, nullable=False),
        sa.Column("interaction_id", sa.Text),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("priority", sa.Float, nullable=False),
        sa.Column("annotators", sa.Integer, nullable=False),
        sa.Column("gold", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_index("annotation_items_by_status", "annotation_items", ["status", "priority"])
    item = sa.ForeignKey("annotation_items.id", ondelete="CASCADE")
    op.create_table(
        "annotation_leases",
        sa.Column("item_id", sa.Text, item, primary_key=True),
        sa.Column("annotator", sa.Text, primary_key=True),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
    op.create_table(
        "judgements",
        sa.Column(
            "item_id", sa.Text, sa.ForeignKey("annotation_items.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("annotator", sa.Text, primary_key=True),
        sa.Column("choice", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "experiments",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    running = sa.text("status = 'running'")
    op.create_index(
        "one_running_experiment_per_domain",
        "experiments",
        ["domain"],
        unique=True,
        sqlite_where=running,
        postgresql_where=running,
    )
    op.create_table(
        "exposures",
        sa.Column(
            "experiment_id", sa.Text, sa.ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("unit", sa.Text, primary_key=True),
        sa.Column("variant", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drops them."""
    for table in (
        "secrets",
        "exposures",
        "experiments",
        "judgements",
        "annotation_leases",
        "annotation_items",
        "feedback",
    ):
        op.drop_table(table)
    op.drop_index("interactions_by_unit", "interactions")
    op.drop_index("interactions_by_time", "interactions")
    op.create_index("interactions_by_time", "interactions", ["created_at"])
    for name in ("outcome", "owner", "unit"):
        op.drop_column("interactions", name)

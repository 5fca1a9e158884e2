"""Owns the relational schema as the code sees it; `migrations` makes a database look like it.

A record is kept whole as JSON in `body`; columns beside it are what queries filter, sort or constrain by.
Times are seconds since 1970, because SQLite knows no time zones.
"""

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, MetaData, Table, Text, text

METADATA = MetaData()

INTERACTIONS = Table(
    "interactions",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("domain", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("body", JSON, nullable=False),
    Index("interactions_by_time", "created_at"),
)

NOT_CLOSED = text("status <> 'closed'")

GAPS = Table(
    "gaps",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("domain", Text, nullable=False),
    Column("question_key", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("run_id", Text),
    Column("opened_at", Float, nullable=False),
    Column("body", JSON, nullable=False),
    Index(
        "one_gap_per_question",
        "domain",
        "question_key",
        unique=True,
        sqlite_where=NOT_CLOSED,
        postgresql_where=NOT_CLOSED,
    ),
)

RUNS = Table(
    "runs",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("whole", Boolean, nullable=False),
    Column("domain", Text),
    Column("gap_id", Text, ForeignKey("gaps.id")),
    Column("started_at", Float, nullable=False),
    Column("finished_at", Float),
    Column("outcome", JSON(none_as_null=True)),
    Column("report", JSON(none_as_null=True)),
    Index("runs_by_time", "started_at"),
)

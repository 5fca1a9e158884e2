"""The tables of the relational store; `migrations` creates and changes them in a database.

The column `body` holds a whole record as JSON; the other columns are for filters, sorting and constraints.
Times are seconds since 1970, because SQLite has no time zones.
"""

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, Integer, MetaData, Table, Text, text

METADATA = MetaData()

INTERACTIONS = Table(
    "interactions",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("domain", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("unit", Text),
    Column("owner", Text),
    Column("outcome", Text),
    Column("body", JSON, nullable=False),
    Column("gap_id", Text),
    Index("interactions_by_gap", "gap_id"),
    Index("interactions_by_time", "created_at", "id"),
    Index("interactions_by_unit", "unit", "created_at"),
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
    Column("merged_into", Text),
    Column("opened_at", Float, nullable=False),
    Column("body", JSON, nullable=False),
    Column("owner", Text),
    Index(
        "one_gap_per_question",
        "domain",
        "question_key",
        text("coalesce(owner, '')"),
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
    Column("asked_by", Text),
    Index("runs_by_time", "started_at"),
)

THREADS = Table(
    "threads",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("owner", Text),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("state_updated_at", Float, nullable=False),
    Column("status", Text, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("values", JSON(none_as_null=True)),
    Column("interrupts", JSON, nullable=False),
    Column("error", JSON(none_as_null=True)),
    Column("ttl_minutes", Float),
    Column("ttl_strategy", Text),
    Column("expires_at", Float),
    Index("threads_by_time", "updated_at"),
    Index("threads_that_expire", "expires_at"),
)

RUNNING = text("status = 'running'")
UNFINISHED = text("status IN ('pending', 'running')")

THREAD_RUNS = Table(
    "thread_runs",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("thread_id", Text, ForeignKey("threads.id", ondelete="CASCADE"), nullable=False),
    Column("assistant_id", Text, nullable=False),
    Column("graph_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("request", JSON, nullable=False),
    Column("strategy", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("starts_at", Float, nullable=False),
    Column("cancel", Text),
    Column("attempt", Integer, nullable=False),
    Column("error", JSON(none_as_null=True)),
    Column("checkpoint_id", Text),
    Column("worker", Text),
    Column("asked_by", Text),
    Index(
        "one_active_run_per_thread",
        "thread_id",
        unique=True,
        sqlite_where=RUNNING,
        postgresql_where=RUNNING,
    ),
    Index("runs_of_thread", "thread_id", "created_at"),
    Index("unfinished_runs", "status", "starts_at", sqlite_where=UNFINISHED, postgresql_where=UNFINISHED),
)
UNFINISHED_RUN = THREAD_RUNS.c.status.in_(("pending", "running"))

RUN_EVENTS = Table(
    "run_events",
    METADATA,
    Column("run_id", Text, ForeignKey("thread_runs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("data", Text, nullable=False),
)

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    Column("revoked_at", Float),
)

GRANTS = Table(
    "grants",
    METADATA,
    Column("owner", Text, primary_key=True),
    Column("domain", Text, primary_key=True),
    Column("write", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
)

WITHDRAWN_SENTENCES = Table(
    "withdrawn_sentences",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("domain", Text, nullable=False),
    Column("owner", Text),
    Column("body", JSON, nullable=False),
    Index("withdrawn_sentences_by_document", "source", "domain"),
)

PERSPECTIVES = Table(
    "perspectives",
    METADATA,
    Column("domain", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("weight", Float, nullable=False),
)

PERSPECTIVE_DOCUMENTS = Table(
    "perspective_documents",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("domain", Text, nullable=False),
    Column("owner", Text),
    Column("name", Text, nullable=False),
    Index("perspective_documents_by_name", "domain", "name"),
)

CRONS = Table(
    "crons",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("owner", Text),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("body", JSON, nullable=False),
)

ASSISTANTS = Table(
    "assistants",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("version", Integer, nullable=False),
    Column("owner", Text),
)

ASSISTANT_VERSIONS = Table(
    "assistant_versions",
    METADATA,
    Column("assistant_id", Text, ForeignKey("assistants.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("created_at", Float, nullable=False),
    Column("body", JSON, nullable=False),
)

FEEDBACK = Table(
    "feedback",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("interaction_id", Text, ForeignKey("interactions.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("body", JSON, nullable=False),
    Index("feedback_by_interaction", "interaction_id", "created_at"),
    Index("feedback_by_time", "created_at"),
)

ANNOTATION_ITEMS = Table(
    "annotation_items",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("batch", Text, nullable=False),
    Column("interaction_id", Text),
    Column("domain", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("priority", Float, nullable=False),
    Column("annotators", Integer, nullable=False),
    Column("gold", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("body", JSON, nullable=False),
    Index("annotation_items_by_status", "status", "priority"),
)

ANNOTATION_LEASES = Table(
    "annotation_leases",
    METADATA,
    Column("item_id", Text, ForeignKey("annotation_items.id", ondelete="CASCADE"), primary_key=True),
    Column("annotator", Text, primary_key=True),
    Column("expires_at", Float, nullable=False),
)

JUDGEMENTS = Table(
    "judgements",
    METADATA,
    Column("item_id", Text, ForeignKey("annotation_items.id", ondelete="CASCADE"), primary_key=True),
    Column("annotator", Text, primary_key=True),
    Column("choice", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("body", JSON, nullable=False),
)

EXPERIMENTS = Table(
    "experiments",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("domain", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("body", JSON, nullable=False),
    Index(
        "one_running_experiment_per_domain",
        "domain",
        unique=True,
        sqlite_where=RUNNING,
        postgresql_where=RUNNING,
    ),
)

EXPOSURES = Table(
    "exposures",
    METADATA,
    Column("experiment_id", Text, ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("variant", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

SECRETS = Table(
    "secrets",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

UNFINISHED_NIGHT = text("status IN ('waiting', 'running')")

NIGHTS = Table(
    "nights",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("domain", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("until", Float, nullable=False),
    Column("began_at", Float, nullable=False),
    Column("body", JSON, nullable=False),
    Index("nights_by_time", "began_at"),
    Index("one_running_night", "status", unique=True, sqlite_where=RUNNING, postgresql_where=RUNNING),
    Index(
        "one_unfinished_night_per_domain",
        "domain",
        unique=True,
        sqlite_where=UNFINISHED_NIGHT,
        postgresql_where=UNFINISHED_NIGHT,
    ),
)

ANSWER_SCORES = Table(
    "answer_scores",
    METADATA,
    Column("interaction_id", Text, ForeignKey("interactions.id", ondelete="CASCADE"), primary_key=True),
    Column("scorer", Text, primary_key=True),
    Column("created_at", Float, nullable=False),
    Column("body", JSON, nullable=False),
)

REVISIONS = Table(
    "revisions",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("night_id", Text, nullable=False),
    Column("interaction_id", Text, ForeignKey("interactions.id", ondelete="CASCADE"), nullable=False),
    Column("domain", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("body", JSON, nullable=False),
    Index("revisions_of_night", "night_id"),
    Index("revisions_of_interaction", "interaction_id"),
    Index("revisions_by_status", "status", "created_at"),
)

STATEMENTS = Table(
    "statements",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("domain", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("said_at", Float, nullable=False),
    Column("body", JSON, nullable=False),
    Index("statements_by_unit", "unit", "said_at"),
)

FORGOTTEN_UNITS = Table(
    "forgotten_units",
    METADATA,
    Column("unit", Text, primary_key=True),
    Column("forgotten_at", Float, nullable=False),
)

TOPICS = Table(
    "topics",
    METADATA,
    Column("night_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("domain", Text, nullable=False),
    Column("priority", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("body", JSON, nullable=False),
    Index("topics_by_domain", "domain", "created_at"),
)

GOLDEN_PAIRS = Table(
    "golden_pairs",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("night_id", Text, nullable=False),
    Column("domain", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("body", JSON, nullable=False),
    Index("golden_pairs_by_domain", "domain", "created_at"),
    Index("golden_pairs_by_status", "status", "created_at"),
)

ATTACKS = Table(
    "attacks",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("night_id", Text, nullable=False),
    Column("interaction_id", Text, ForeignKey("interactions.id", ondelete="CASCADE")),
    Column("domain", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("body", JSON, nullable=False),
    Index("attacks_of_night", "night_id"),
    Index("attacks_of_interaction", "interaction_id"),
    Index("attacks_by_domain", "domain", "created_at"),
)

SURPRISES = Table(
    "surprises",
    METADATA,
    Column("domain", Text, primary_key=True),
    Column("item", Text, primary_key=True),
    Column("body", JSON, nullable=False),
)

VERIFICATIONS = Table(
    "verifications",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("verified_at", Float, nullable=False),
)

APPROVALS = Table(
    "approvals",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("act", Text, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("approved_by", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("approved_at", Float, nullable=False),
    Column("signature", Text),
)

AUDIT_LOG = Table(
    "audit_log",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("time", Float, nullable=False),
    Column("action", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", JSON, nullable=False),
    Column("previous", Text, nullable=False, unique=True),
    Column("hash", Text, nullable=False),
)

HEARTBEAT = Table(
    "heartbeat",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
)
"""One row, which readiness writes to see whether the database takes writes."""

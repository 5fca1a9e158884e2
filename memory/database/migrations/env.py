"""Alembic's environment script; runs the migrations on the connection from `memory.database.database`.

Offline (SQL script) mode is not supported.
"""

from alembic import context
from sqlalchemy import Connection

from memory.database.tables import METADATA

if context.is_offline_mode():
    raise NotImplementedError("migrations run when the database is opened; there is no offline mode")

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()

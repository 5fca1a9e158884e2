"""Alembic migrations, one file per schema change, in order; never edit one that was released."""

"""Interactions, gaps and learn runs in SQLite or PostgreSQL, with the schema of everything relational."""

"""Migrations of the relational schema, applied whenever `memory.database.database` opens a database."""

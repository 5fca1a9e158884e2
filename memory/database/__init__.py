"""The relational store on SQLite or PostgreSQL: schema, migrations, and interactions, gaps and learn runs."""

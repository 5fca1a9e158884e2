"""Graph state: LangGraph's checkpoint savers for SQLite and PostgreSQL, with additions of ours."""

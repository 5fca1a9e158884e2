"""The stores of the LangGraph-compatible server: threads, runs, assistants, crons, items and API keys."""

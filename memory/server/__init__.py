"""What the LangGraph-compatible server keeps: threads, runs, assistants, crons, items, keys."""

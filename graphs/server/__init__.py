"""Runs on threads, as LangGraph's clients know them: queued, streamed, resumed, travelled back through."""

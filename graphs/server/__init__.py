"""The run server, compatible with LangGraph's clients: threads, queued runs, event streams, time travel."""

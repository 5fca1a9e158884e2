"""Endpoints in LangGraph's format: assistants, threads, runs, crons, store."""

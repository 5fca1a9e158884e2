"""Endpoints in LangGraph's format."""

"""LangGraph's checkpoint savers, opened by URL."""

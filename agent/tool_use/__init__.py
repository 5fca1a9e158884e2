"""Exploration that the served model drives itself, by tool calls with a budget."""

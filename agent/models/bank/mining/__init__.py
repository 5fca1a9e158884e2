"""Generates bank questions: facts mined from packages and tables, and coined names."""

"""Owns the order of steps: state machines without prompts or queries."""
